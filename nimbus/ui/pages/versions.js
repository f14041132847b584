// Versions of a topology's models: which is in use, what each scored, and the way back.

import { h } from '../dom.js';
import { ask } from '../dialog.js';
import { bytes, clock, count } from '../format.js';
import { call, every, path } from '../net.js';
import { scaleOf, scores } from '../scores.js';
import { table } from '../table.js';
import { deploy } from './deploy.js';
import { badge } from './parts.js';

const TONES = { current: 'good', preparing: 'warn', failed: 'bad', replaced: 'plain' };

/** Shows the versions of all models of a topology in `element`, and again every few seconds; gives back what ends that. */
export function versions(element, topology) {
  const shown = new Map();
  const none = h('p', { class: 'none', hidden: true }, 'It has no models.');
  element.append(none);
  async function update() {
    const { models } = await call(path`/v1/topologies/${topology}/models`);
    none.hidden = models.length > 0;
    for (const model of models) {
      if (!shown.has(model.name)) {
        shown.set(model.name, one(topology, model.name, update));
        element.append(shown.get(model.name).element);
      }
      shown.get(model.name).update(rowsOf(model));
    }
  }
  update().catch(() => {});
  return every(4000, () => update().catch(() => {}));
}

/** A row for each deployment, newest first. A version that came several times has its numbers and its button once. */
function rowsOf({ history, numbers }) {
  const scale = scaleOf(numbers);
  const current = history.find((d) => d.state === 'current')?.version;
  const first = (version, wanted) => history.find((d) => d.version === version && wanted(d));
  return history.map((d) => {
    const counts = d === (first(d.version, (o) => o.state !== 'failed') ?? first(d.version, () => true));
    const back = d.version !== current && d === first(d.version, (o) => o.state === 'replaced');
    return { ...d, counts, back, scale, numbers: counts ? numbers.find((n) => n.version === d.version) : undefined };
  });
}

function one(topology, model, update) {
  const back = (d) => h('button', { type: 'button', class: 'plain', 'aria-label': `Roll back to version ${d.version}`, onclick: () => rollback(topology, model, d).then(update) }, 'Roll back to it');
  const counted = (key) => (d) => (d.counts ? count(d.numbers?.[key] ?? 0) : '');
  const list = table({
    label: `Versions of ${model}`, key: (d) => d.serial,
    columns: [
      { name: 'Version', head: true, show: (d) => d.version },
      { name: 'State', mark: (d) => d.state, show: (d) => badge(d.state, TONES[d.state]) },
      { name: 'File', show: (d) => d.file },
      { name: 'Size', num: true, show: (d) => bytes(d.bytes) },
      { name: 'Deployed', show: (d) => `${clock(d.unix_ms)}${d.rollback ? ', rolled back' : ''}` },
      { name: 'Rows scored', num: true, title: 'of a version that came several times in all', show: counted('rows') },
      { name: 'Errors', num: true, title: 'rows that could not be scored', show: counted('errors') },
      { name: 'Scores', title: 'the highest probability of each row, its highest decision value, or what is predicted', mark: (d) => JSON.stringify([d.scale, d.numbers?.rows, d.numbers?.scores]), show: (d) => (d.counts ? scores(d.numbers, d.scale) : '') },
      { name: '', class: 'wrap', mark: (d) => `${d.back}${d.reason ?? ''}`, show: (d) => h('span', {}, d.reason ?? '', d.back && back(d)) },
    ],
  });
  let labels;
  const element = h('div', {}, h('h3', {}, model), list.element,
    h('p', { class: 'dim' }, h('button', { type: 'button', class: 'plain', onclick: () => deploy(topology, model, labels).then(update) }, 'Deploy a file'), ' or ', h('code', {}, `squall model deploy ${model} FILE --topology ${topology}`)));
  const show = (rows) => {
    labels = rows.find((d) => d.state === 'current')?.labels;
    list.update(rows);
  };
  return { element, update: show };
}

const rollback = (topology, model, to) => ask({
  title: `Go back to version ${to.version} of ${model}?`, text: `${to.file}, first deployed at ${clock(to.unix_ms)}. Workers load it beside the present one and change over without losing a tuple.`, verb: 'Roll back',
  run: () => call(path`/v1/topologies/${topology}/models/${model}/rollback`, { method: 'POST', body: { version: to.version } }),
});
