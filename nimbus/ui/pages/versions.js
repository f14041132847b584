// Versions of a topology's models: which is in use, what each scored, and the way back.

import { h, put, s } from '../dom.js';
import { ask } from '../dialog.js';
import { bytes, clock, count } from '../format.js';
import { call, every, path } from '../net.js';
import { deploy } from './deploy.js';
import { badge } from './parts.js';

const TONES = { current: 'good', preparing: 'warn', failed: 'bad', replaced: 'plain' };

/** Shows the versions of all models of a topology in `element`, and again every few seconds; gives back what ends that. */
export function versions(element, topology) {
  async function update() {
    const { models } = await call(path`/v1/topologies/${topology}/models`);
    if (!models.length) return put(element, h('p', { class: 'none' }, 'It has no models.'));
    return put(element, models.map((m) => one(topology, m, update)));
  }
  update().catch(() => {});
  return every(4000, () => update().catch(() => {}));
}

function one(topology, model, update) {
  const rows = model.history.map((d) => {
    const numbers = model.numbers.find((n) => n.version === d.version);
    const back = d.state === 'replaced' && h('button', { type: 'button', class: 'plain', onclick: () => rollback(topology, model.name, d).then(update) }, 'Roll back to it');
    return h('tr', {}, h('th', { scope: 'row' }, `${d.version}`), h('td', {}, badge(d.state, TONES[d.state])), h('td', {}, d.file), h('td', { class: 'num' }, bytes(d.bytes)), h('td', {}, clock(d.unix_ms)),
      h('td', { class: 'num' }, count(numbers?.rows ?? 0)), h('td', { class: 'num' }, count(numbers?.errors ?? 0)), h('td', {}, numbers ? scores(numbers) : '–'), h('td', {}, d.reason ?? '', back));
  });
  return h('div', { class: 'tabled' }, h('h3', {}, model.name), h('table', { 'aria-label': `Versions of ${model.name}` },
    h('thead', {}, h('tr', {}, ['Version', 'State', 'File'].map((t) => h('th', { scope: 'col' }, t)), h('th', { scope: 'col', class: 'num' }, 'Size'), h('th', { scope: 'col' }, 'Deployed'), h('th', { scope: 'col', class: 'num' }, 'Rows scored'), h('th', { scope: 'col', class: 'num' }, 'Errors'), h('th', { scope: 'col' }, 'Scores'), h('th', { scope: 'col' }, ''))),
    h('tbody', {}, rows)),
  h('p', { class: 'dim' }, h('button', { type: 'button', class: 'plain', onclick: () => deploy(topology, model.name).then(update) }, 'Deploy a file'), ' or ', h('code', {}, `squall model deploy ${model.name} FILE --topology ${topology}`)));
}

const rollback = (topology, model, to) => ask({
  title: `Go back to version ${to.version} of ${model}?`, text: `${to.file}, first deployed at ${clock(to.unix_ms)}. Workers load it beside the present one and change over without losing a tuple.`, verb: 'Roll back',
  run: () => call(path`/v1/topologies/${topology}/models/${model}/rollback`, { method: 'POST', body: { version: to.version } }),
});

/** How scores are distributed: a bar for each range that holds some, from low to high. */
function scores({ scores: counts, rows }) {
  const ranges = Object.entries(counts).map(([range, n]) => [Number(range), n]).sort((a, b) => a[0] - b[0]);
  if (!ranges.length) return rows ? h('span', { class: 'dim', title: 'The model gives neither probabilities nor decision values nor numbers.' }, 'none') : '–';
  const [first, last] = [ranges[0][0], ranges[ranges.length - 1][0]];
  const [width, top] = [110 / Math.max(20, last - first + 1), Math.max(...ranges.map(([, n]) => n))];
  const svg = s('svg', { class: 'spark', viewBox: '0 0 110 26', width: 110, height: 26, role: 'img', 'aria-label': 'Distribution of scores' });
  svg.append(...ranges.map(([range, n]) => {
    const height = Math.max(1, (n / top) * 24);
    const bar = s('rect', { class: 'column', x: (range - first) * width, width: Math.max(1, width - 0.5), y: 26 - height, height });
    bar.append(s('title', {}, `from ${edge(range)}: ${n.toLocaleString('en-US')}`));
    return bar;
  }));
  const all = ranges.reduce((sum, [, n]) => sum + n, 0);
  return h('span', {}, svg, all < rows && h('span', { class: 'dim', title: 'Only labels are emitted, so that scores are computed of some rows only.' }, ` of ${count(all)} rows`));
}

/** Where a range begins: twentieths between -1 and 1, beyond each a tenth wider. */
function edge(range) {
  const steps = Math.abs(range);
  const size = steps <= 20 ? steps / 20 : 1.1 ** (steps - 20);
  return (Math.sign(range) * size).toPrecision(3);
}
