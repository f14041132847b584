// Numbers and times for people.

const UNITS = [[1e12, 'T'], [1e9, 'G'], [1e6, 'M'], [1e3, 'k']];

const digits = (n) => (n >= 99.95 ? 0 : n >= 9.995 ? 1 : 2);

/** A count: 1,234 or 12.3 k. */
export function count(n) {
  if (n === undefined || n === null || Number.isNaN(n)) return '–';
  if (Math.abs(n) < 10000) return Math.round(n).toLocaleString('en-US');
  const [size, unit] = UNITS.find(([size]) => Math.abs(n) >= size * 0.9995) ?? [1, ''];
  return `${(n / size).toFixed(digits(Math.abs(n / size)))} ${unit}`;
}

/** So many of something: 1 task, 2 tasks. */
export const many = (n, one, more = `${one}s`) => `${count(n)} ${n === 1 ? one : more}`;

/** So many a second. */
export function rate(n) {
  if (!n) return '0';
  if (n >= 10) return count(n);
  // A quarter is no 0.3.
  return n < 1 ? n.toFixed(2).replace(/(\.\d)0$/, '$1') : n.toFixed(1);
}

/** Milliseconds as a time with three digits. */
export function millis(ms) {
  if (ms === undefined || ms === null) return '–';
  if (ms === 0) return '0';
  if (ms < 0.001) return `${Math.round(ms * 1e6)} ns`;
  if (ms < 1) return `${three(ms * 1e3)} µs`;
  if (ms < 1000) return `${three(ms)} ms`;
  return ms < 60000 ? `${three(ms / 1e3)} s` : span(ms);
}

const three = (n) => n.toFixed(digits(n)).replace(/\.0+$/, '');

/** A latency object's quantile; nothing was measured: a dash. */
export const quantile = (latency, which) => (latency && latency.count ? millis(latency[which]) : '–');

/** A long time: 3d 4h, 5m 2s. */
export function span(ms) {
  const seconds = Math.floor(ms / 1000);
  const parts = [[86400, 'd'], [3600, 'h'], [60, 'm'], [1, 's']];
  const at = parts.findIndex(([size]) => seconds >= size);
  if (at < 0) return '0s';
  const [big, small] = [parts[at], parts[at + 1]];
  const rest = small ? Math.floor((seconds % big[0]) / small[0]) : 0;
  return `${Math.floor(seconds / big[0])}${big[1]}${rest ? ` ${rest}${small[1]}` : ''}`;
}

/** Bytes as kB, MB, GB. */
export function bytes(n) {
  if (n === undefined || n === null) return '–';
  if (n < 1000) return `${n} B`;
  return `${scaled(n)}B`;
}

function scaled(n) {
  const [size, unit] = UNITS.find(([size]) => n >= size * 0.9995);
  return `${(n / size).toFixed(digits(n / size))} ${unit}`;
}

/** A share as per cent. */
export const percent = (share) => `${Math.round((share || 0) * 100)} %`;

/** The local time of day, and the date where it is not today's. */
export const clock = (unixMs) => dated(unixMs, new Date(unixMs).toLocaleTimeString('en-GB'));

/** The same to the millisecond. */
export const moment = (unixMs) => dated(unixMs, `${new Date(unixMs).toLocaleTimeString('en-GB')}.${String(new Date(unixMs).getMilliseconds()).padStart(3, '0')}`);

function dated(unixMs, time) {
  const at = new Date(unixMs);
  if (at.toDateString() === new Date().toDateString()) return time;
  const two = (n) => String(n).padStart(2, '0');
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${time}`;
}

/** A text with the first digits of the ids and hashes in it, which are enough to tell them apart. */
export const short = (text) => text.replace(/\b([0-9a-f]{8})[0-9a-f]{24,}\b/g, '$1');
