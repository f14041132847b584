// Line charts over time, as SVG.

import { attr, h, put, s } from './dom.js';
import { clock } from './format.js';

const HEIGHT = 190;
const EDGE = { left: 58, right: 12, top: 10, bottom: 24 };

/**
 * A chart: series are {name, of(point), tone}, show writes a value, log makes the scale logarithmic. update(points, marks, span)
 * draws points {unix_ms, …} and marks {unix_ms, text, tone}; span is the time in ms that the chart covers.
 */
export function chart({ label, series, show, log = false, most }) {
  const svg = s('svg', { class: 'chart', role: 'img', 'aria-label': label, height: HEIGHT });
  const tip = h('div', { class: 'tip', hidden: true });
  const legend = h('div', { class: 'legend' }, series.map((one) => h('span', { class: `key ${one.tone}` }, one.name)));
  const frame = h('div', { class: 'charted' }, svg, tip);
  const element = h('div', {}, legend, frame);
  let state = { points: [], marks: [], span: 600000 };
  let geometry = null;

  function draw() {
    const width = Math.max(260, frame.clientWidth || 600);
    const { points, marks, span } = state;
    const end = points.length ? points[points.length - 1].unix_ms + points[points.length - 1].ms : Date.now();
    const begin = end - span;
    const values = series.flatMap((one) => points.map(one.of)).filter((v) => v !== null && Number.isFinite(v));
    const axis = log ? logAxis(values) : plainAxis(values, most);
    const x = (ms) => EDGE.left + ((ms - begin) / span) * (width - EDGE.left - EDGE.right);
    const y = (v) => HEIGHT - EDGE.bottom - axis.place(v) * (HEIGHT - EDGE.top - EDGE.bottom);
    geometry = { x, y, width, begin, span };
    attr(svg, 'viewBox', `0 0 ${width} ${HEIGHT}`);
    attr(svg, 'width', width);
    const parts = [];
    for (const tick of axis.ticks) {
      parts.push(s('line', { class: 'grid', x1: EDGE.left, x2: width - EDGE.right, y1: y(tick), y2: y(tick) }));
      parts.push(s('text', { class: 'axis', x: EDGE.left - 8, y: y(tick) + 4, 'text-anchor': 'end' }, show(tick)));
    }
    for (const at of times(begin, end, width)) {
      parts.push(s('text', { class: 'axis', x: x(at), y: HEIGHT - 6, 'text-anchor': x(at) > width - 30 ? 'end' : 'middle' }, hours(at, span)));
    }
    for (const mark of marks) {
      if (mark.unix_ms < begin || mark.unix_ms > end + 5000) continue;
      const line = s('line', { class: `mark ${mark.tone}`, x1: x(mark.unix_ms), x2: x(mark.unix_ms), y1: EDGE.top, y2: HEIGHT - EDGE.bottom });
      line.append(s('title', {}, `${clock(mark.unix_ms)} ${mark.text}`));
      parts.push(line);
    }
    for (const one of series) {
      const way = line(points, one.of, x, y);
      if (one.area && way) {
        const ends = points.filter((p) => one.of(p) !== null);
        const [first, last] = [ends[0], ends[ends.length - 1]];
        parts.push(s('path', { class: `area ${one.tone}`, d: `${way.replaceAll('M', 'L').replace('L', 'M')}L${x(last.unix_ms)} ${y(axis.low)}L${x(first.unix_ms)} ${y(axis.low)}Z` }));
      }
      parts.push(s('path', { class: `line ${one.tone}`, d: way }));
    }
    if (!values.length) parts.push(s('text', { class: 'axis', x: width / 2, y: HEIGHT / 2, 'text-anchor': 'middle' }, 'nothing measured yet'));
    parts.push(s('line', { class: 'cross', y1: EDGE.top, y2: HEIGHT - EDGE.bottom, visibility: 'hidden' }));
    put(svg, parts);
  }

  function point(event) {
    if (!geometry || !state.points.length) return;
    const box = svg.getBoundingClientRect();
    const at = geometry.begin + ((event.clientX - box.left - EDGE.left) / (geometry.width - EDGE.left - EDGE.right)) * geometry.span;
    const nearest = state.points.reduce((best, p) => (Math.abs(p.unix_ms - at) < Math.abs(best.unix_ms - at) ? p : best));
    const cross = svg.lastChild;
    const x = geometry.x(nearest.unix_ms);
    attr(cross, 'x1', x);
    attr(cross, 'x2', x);
    attr(cross, 'visibility', 'visible');
    put(tip, h('b', {}, clock(nearest.unix_ms)), series.map((one) => {
      const value = one.of(nearest);
      return h('span', { class: `key ${one.tone}` }, `${one.name} ${value === null ? '–' : show(value)}`);
    }));
    tip.hidden = false;
    tip.style.left = `${Math.min(Math.max(0, x + 12), geometry.width - tip.offsetWidth - 4)}px`;
  }

  const leave = () => {
    tip.hidden = true;
    if (svg.lastChild) attr(svg.lastChild, 'visibility', 'hidden');
  };
  frame.addEventListener('pointermove', point);
  frame.addEventListener('pointerleave', leave);
  new ResizeObserver(() => draw()).observe(frame);
  const update = (points, marks, span) => {
    state = { points, marks, span };
    if (element.isConnected && tip.hidden) draw();
  };
  return { element, update };
}

function line(points, of, x, y) {
  let way = '';
  let gap = true;
  let before = null;
  for (const p of points) {
    const value = of(p);
    // A missing second or two is no gap; more is.
    if (value === null || !Number.isFinite(value)) continue;
    gap = before === null || p.unix_ms - before.unix_ms > 2500 + 2 * before.ms;
    way += `${gap ? 'M' : 'L'}${x(p.unix_ms).toFixed(1)} ${y(value).toFixed(1)}`;
    before = p;
  }
  return way;
}

function plainAxis(values, least = 1) {
  const top = Math.max(least, ...values);
  const rough = top / 4;
  const size = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((n) => n * size).find((n) => n >= rough);
  const ticks = [];
  for (let at = 0; at < top + step * 0.999; at += step) ticks.push(at);
  const high = ticks[ticks.length - 1];
  return { ticks, low: 0, place: (v) => v / high };
}

function logAxis(values) {
  const real = values.filter((v) => v > 0);
  const [min, max] = real.length ? [Math.min(...real), Math.max(...real)] : [0.1, 10];
  let low = Math.floor(Math.log10(min));
  let high = Math.ceil(Math.log10(max) + 1e-9);
  if (high - low < 1) high = low + 1;
  const ticks = [];
  for (let e = low; e <= high; e += 1) ticks.push(10 ** e);
  if (high - low === 1) ticks.splice(1, 0, 2 * 10 ** low, 5 * 10 ** low);
  return { ticks, low: 10 ** low, place: (v) => Math.max(0, (Math.log10(Math.max(v, 10 ** low)) - low) / (high - low)) };
}

const STEPS = [60, 120, 300, 600, 1800, 3600, 7200, 14400, 21600, 43200, 86400].map((n) => n * 1000);

function times(begin, end, width) {
  const step = STEPS.find((n) => (end - begin) / n <= width / 90) ?? STEPS[STEPS.length - 1];
  const found = [];
  for (let at = Math.ceil(begin / step) * step; at <= end; at += step) found.push(at);
  return found;
}

function hours(at, span) {
  const time = new Date(at);
  return span > 2 * 86400000 ? time.toLocaleDateString('en-GB', { day: 'numeric', month: 'short' }) : time.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });
}

/** A small line without axes, of numbers from old to new. */
export function spark(numbers, width = 110, height = 26) {
  const top = Math.max(1e-9, ...numbers);
  const step = width / Math.max(1, 59);
  const x = (i) => (width - (numbers.length - 1 - i) * step).toFixed(1);
  const y = (n) => (height - 2 - (n / top) * (height - 4)).toFixed(1);
  const way = numbers.map((n, i) => `${i ? 'L' : 'M'}${x(i)} ${y(n)}`).join('');
  return s('svg', { class: 'spark', viewBox: `0 0 ${width} ${height}`, width, height, 'aria-hidden': 'true' },
    way && s('path', { class: 'area a', d: `${way}L${width} ${height}L${x(0)} ${height}Z` }), s('path', { class: 'line a', d: way }));
}

/** A histogram of [largest ns, count] pairs on a logarithmic scale of time. */
export function histogram(pairs, show) {
  const svg = s('svg', { class: 'chart', height: HEIGHT, role: 'img', 'aria-label': 'Latency histogram' });
  const frame = h('div', { class: 'charted' }, svg);
  let state = pairs;
  const draw = () => {
    const width = Math.max(260, frame.clientWidth || 600);
    attr(svg, 'viewBox', `0 0 ${width} ${HEIGHT}`);
    attr(svg, 'width', width);
    // Four bars an octave are enough for the eye.
    const bars = new Map();
    for (const [ns, n] of state) {
      const bar = Math.floor(Math.log2(Math.max(1, ns)) * 4);
      bars.set(bar, (bars.get(bar) ?? 0) + n);
    }
    if (!bars.size) return put(svg, s('text', { class: 'axis', x: width / 2, y: HEIGHT / 2, 'text-anchor': 'middle' }, 'nothing measured yet'));
    const [first, last] = [Math.min(...bars.keys()), Math.max(...bars.keys()) + 1];
    const top = Math.max(...bars.values());
    const sum = [...bars.values()].reduce((a, b) => a + b, 0);
    const one = (width - EDGE.left - EDGE.right) / Math.max(8, last - first);
    const parts = [];
    for (const share of [0.5, 1]) {
      const at = HEIGHT - EDGE.bottom - share * (HEIGHT - EDGE.top - EDGE.bottom);
      parts.push(s('line', { class: 'grid', x1: EDGE.left, x2: width - EDGE.right, y1: at, y2: at }));
      parts.push(s('text', { class: 'axis', x: EDGE.left - 8, y: at + 4, 'text-anchor': 'end' }, `${((share * top * 100) / sum).toFixed(top / sum > 0.1 ? 0 : 1)} %`));
    }
    for (const [bar, n] of bars) {
      const height = Math.max(1, (n / top) * (HEIGHT - EDGE.top - EDGE.bottom));
      const rect = s('rect', { class: 'column', x: EDGE.left + (bar - first) * one + 0.5, width: Math.max(1, one - 1), y: HEIGHT - EDGE.bottom - height, height, rx: 1.5 });
      rect.append(s('title', {}, `${show(2 ** (bar / 4) / 1e6)} to ${show(2 ** ((bar + 1) / 4) / 1e6)}: ${n.toLocaleString('en-US')} (${((n * 100) / sum).toFixed(2)} %)`));
      parts.push(rect);
    }
    const every = Math.max(1, Math.ceil(80 / one));
    for (let bar = first; bar <= last; bar += every) {
      const x = EDGE.left + (bar - first) * one;
      parts.push(s('text', { class: 'axis', x, y: HEIGHT - 6, 'text-anchor': x > width - 30 ? 'end' : 'middle' }, show(2 ** (bar / 4) / 1e6)));
    }
    return put(svg, parts);
  };
  new ResizeObserver(draw).observe(frame);
  return { element: frame, update: (next) => { state = next; if (frame.isConnected) draw(); } };
}

