// Throughput and latency over time, of a topology, a component or a task.

import { chart } from '../chart.js';
import { card, h } from '../dom.js';
import { many, millis, rate } from '../format.js';
import { call, every } from '../net.js';
import { toneOf } from './parts.js';

const RANGES = [['10 min', 600], ['3 h', 10800], ['1 d', 86400], ['7 d', 604800]];

const MOST_EVENTS = 1000;
/** So many lines of errors find room beside each other. */
const MOST_ERRORS = 60;
/** So many components are named at one of them. */
const MOST_TOLD = 8;

const perS = (of) => (p) => (of(p) * 1000) / Math.max(1, p.ms);
const quantile = (key, i) => (p) => (p[key] ? p[key][i] : null);

/**
 * Charts of what `path` answers; add(points, events) takes what is new, as events tell it. What is not fed so is asked for again
 * and again.
 */
export function charts({ path, spout, fed = true }) {
  let range = 600;
  let points = new Map();
  let events = new Map();
  let asked = 0;
  const flow = chart({
    label: 'Throughput over time', show: (v) => `${rate(v)}/s`,
    series: [
      ...(spout ? [{ name: 'emitted', of: perS((p) => p.emitted), tone: 'a', area: true }] : []),
      ...(spout ? [] : [{ name: 'executed', of: perS((p) => p.executed), tone: 'a', area: true }]),
      { name: 'acked', of: perS((p) => p.acked), tone: 'b' },
      { name: 'failed', of: perS((p) => p.failed), tone: 'c' },
    ],
  });
  const key = spout ? 'complete_ms' : 'execute_ms';
  const times = chart({
    label: 'Latency over time', show: millis, log: true,
    series: [
      { name: 'p50', of: quantile(key, 0), tone: 'b' },
      { name: 'p99', of: quantile(key, 1), tone: 'a' },
      { name: 'p99.9', of: quantile(key, 2), tone: 'c' },
    ],
  });
  const busy = chart({
    label: 'Busy and held up over time', show: (v) => `${Math.round(v * 100)} %`, most: 1,
    series: [
      { name: 'busiest task', of: (p) => p.capacity, tone: 'a', area: true },
      { name: 'held up', of: (p) => p.blocked, tone: 'e' },
    ],
  });
  const choice = h('div', { class: 'choice', role: 'group', 'aria-label': 'Time shown' }, RANGES.map(([name, seconds]) =>
    h('button', { type: 'button', 'aria-pressed': String(seconds === range), onclick: () => choose(seconds) }, name)));
  const element = h('div', { class: 'pair' }, card('Throughput', choice, flow.element), card(spout ? 'Latency of whole trees' : 'Latency in execute', null, times.element));
  const load = card('Load', null, busy.element);

  function draw() {
    const list = [...points.values()].sort((a, b) => a.unix_ms - b.unix_ms);
    const newest = list[list.length - 1]?.unix_ms ?? 0;
    const shown = list.filter((p) => p.unix_ms > newest - range * 1000);
    points = new Map(shown.map((p) => [p.unix_ms, p]));
    // What is young is not squeezed into a corner.
    const age = shown.length ? newest - shown[0].unix_ms + 1000 : 0;
    const covers = Math.min(range * 1000, Math.max(60000, age));
    const marks = marksOf([...events.values()], covers);
    for (const one of [flow, times, busy]) one.update(shown, marks, covers);
  }

  /** A line for each event; errors that are close to each other are one, which says what befell each component first. */
  function marksOf(all, covers) {
    const [errors, others] = [new Map(), []];
    for (const e of all) {
      if (e.kind !== 'error') {
        others.push({ ...e, tone: toneOf(e.kind) });
        continue;
      }
      const at = Math.floor((e.unix_ms * MOST_ERRORS) / covers);
      const mark = errors.get(at) ?? { unix_ms: e.unix_ms, firsts: new Map(), all: 0 };
      if (!mark.firsts.has(e.component)) mark.firsts.set(e.component, `${e.component ? `${e.component}: ` : ''}${e.text}`);
      mark.all += 1;
      errors.set(at, mark);
    }
    const told = ({ unix_ms, firsts, all }) => {
      const lines = [...firsts.values()].slice(0, MOST_TOLD);
      const more = all - lines.length;
      return { unix_ms, tone: 'error', text: [...lines, ...(more ? [`and ${many(more, 'error')} more`] : [])].join('\n') };
    };
    return [...[...errors.values()].slice(-MOST_ERRORS).map(told), ...others];
  }

  async function load_all() {
    const mine = ++asked;
    const sign = path.includes('?') ? '&' : '?';
    const history = await call(`${path}${sign}seconds=${range}`);
    if (mine !== asked) return;
    points = new Map(history.points.map((p) => [p.unix_ms, p]));
    history.events.forEach((e) => events.set(e.number, e));
    draw();
  }

  function choose(seconds) {
    range = seconds;
    [...choice.children].forEach((b, i) => b.setAttribute('aria-pressed', String(RANGES[i][1] === seconds)));
    load_all().catch(() => {});
  }

  // Coarser points are asked for again; the newest of them grows.
  const coarse = every(fed ? 10000 : 3000, () => (range !== 600 || !fed) && load_all().catch(() => {}));
  // Fine ones come by themselves, but for those that nobody saw come and those that nimbus hears of late.
  const fine = every(60000, () => range === 600 && fed && load_all().catch(() => {}));
  return {
    element,
    load,
    start: load_all,
    add(more, happened = []) {
      happened.forEach((e) => events.set(e.number, e));
      // A page may be open for weeks.
      for (const number of [...events.keys()].sort((a, b) => a - b).slice(0, -MOST_EVENTS)) events.delete(number);
      if (range === 600) more.forEach((p) => points.set(p.unix_ms, p));
      draw();
    },
    events: () => [...events.values()].sort((a, b) => a.number - b.number),
    end() {
      coarse();
      fine();
    },
  };
}
