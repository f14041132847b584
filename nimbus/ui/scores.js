// How scores are distributed: bars on a scale that versions of a model share.

import { attr, h, s } from './dom.js';
import { count } from './format.js';

const WIDTH = 130;
const HEIGHT = 26;

/** Ranges between 0 and 1; beyond 1 each is a tenth wider than the one before. */
const FINE = 20;

/** From which range to which the bars of all these go: 0 to 1 or -1 to 1 where the scores lie there. */
export function scaleOf(all) {
  const ranges = all.flatMap((n) => Object.keys(n?.scores ?? {}).map(Number));
  if (!ranges.length) return null;
  const [first, last] = [Math.min(...ranges), Math.max(...ranges)];
  if (first < -FINE || last >= FINE) return [first, last];
  return [first < 0 ? -FINE : 0, FINE - 1];
}

/** A bar for each range that holds some of a version's scores, and the ends of the scale. */
export function scores(numbers, scale) {
  if (!numbers?.rows) return '–';
  const ranges = Object.entries(numbers.scores).map(([range, n]) => [Number(range), n]);
  if (!ranges.length) return h('span', { class: 'dim', title: 'The model gives neither probabilities nor decision values nor numbers.' }, 'none');
  const [first, last] = scale;
  const [width, top, all] = [WIDTH / (last - first + 1), Math.max(...ranges.map(([, n]) => n)), ranges.reduce((sum, [, n]) => sum + n, 0)];
  const svg = s('svg', { class: 'scores', viewBox: `0 0 ${WIDTH} ${HEIGHT + 12}`, width: WIDTH, height: HEIGHT + 12, role: 'img', 'aria-label': `Scores from ${edge(first)} to ${edge(last + 1)}` },
    s('line', { class: 'grid', x1: 0, x2: WIDTH, y1: HEIGHT, y2: HEIGHT }),
    s('text', { class: 'axis', x: 0, y: HEIGHT + 11 }, edge(first)), s('text', { class: 'axis', x: WIDTH, y: HEIGHT + 11, 'text-anchor': 'end' }, edge(last + 1)));
  for (const [range, n] of ranges) {
    const height = Math.max(1, (n / top) * (HEIGHT - 2));
    const bar = s('rect', { class: 'column', x: (range - first) * width, width: Math.max(1, width - 0.5), y: HEIGHT - height, height });
    bar.append(s('title', {}, `${edge(range)} to ${edge(range + 1)}: ${n.toLocaleString('en-US')} (${((n * 100) / all).toFixed(1)} %)`));
    svg.append(bar);
  }
  if (all >= numbers.rows) return svg;
  return attr(h('span', {}, svg, h('span', { class: 'dim' }, ` of ${count(all)} rows`)), 'title', 'Only labels are emitted, so that scores are computed of some rows only.');
}

/** Where a range begins. */
function edge(range) {
  const steps = Math.abs(range);
  const size = steps <= FINE ? steps / FINE : 1.1 ** (steps - FINE);
  return Number((Math.sign(range) * size).toPrecision(3));
}
