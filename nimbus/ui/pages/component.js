// One component: its tasks, streams, latencies, configuration.

import { histogram } from '../chart.js';
import { card, h, meter, put, tiles } from '../dom.js';
import { count, many, millis, percent, quantile, rate } from '../format.js';
import { call, every, listen, path } from '../net.js';
import { table } from '../table.js';
import { charts } from './charts.js';
import { errorTable } from './errors.js';
import { badge, componentLink, title, topologyLink, workerLink } from './parts.js';
import { tap } from './tap.js';

export async function show(main, name, id) {
  const base = path`/v1/topologies/${name}/components/${id}`;
  const history = path`/v1/topologies/${name}/history?component=${id}`;
  const first = await call(base);
  const spout = first.status.kind === 'spout';
  const numbers = tiles([spout ? 'Emitted' : 'Executed', 'Acked', 'Failed', 'p50', 'p99', 'p99.9', 'Busy', 'Held up', spout ? 'Under way' : 'Queued']);
  let task = null;
  let over = charts({ path: history, spout });
  const graphs = h('div');
  const whose = h('select', { 'aria-label': 'Whose charts', onchange: (event) => choose(event.target.value) },
    h('option', { value: '' }, 'all tasks'), first.tasks.map((t) => h('option', { value: t.task }, `task ${t.task}`)));
  const tasks = taskTable(name, spout);
  const errors = errorTable(name, id);
  const [inputs, outputs] = [inputTable(name), outputTable(name, spout)];
  const bars = histogram(first.histogram, millis);
  const counters = h('div');
  const tuples = tap(name, id, first.outputs.map((o) => o.stream));
  put(graphs, over.element, over.load);

  function choose(value) {
    over.end();
    task = value === '' ? null : Number(value);
    over = charts({ path: task === null ? history : `${history}&task=${task}`, spout, fed: task === null });
    put(graphs, over.element, over.load);
    over.start().catch(() => {});
  }

  put(main,
    title(h('span', { class: 'trail' }, topologyLink(name), ' / '), h('h1', {}, id), badge(first.status.kind), h('span', { class: 'dim' }, `${first.status.type}, ${many(first.status.tasks, 'task')}`), h('span', { class: 'push' }), h('label', { class: 'dim' }, 'Charts of ', whose)),
    numbers.element, graphs,
    card('Tasks', tasks.search, tasks.element),
    card('Errors', errors.search, errors.element),
    tuples.element,
    // A spout takes nothing in, and of what it emits more is told.
    spout ? card('Emits', null, outputs.element) : h('div', { class: 'pair' }, card('Takes in', null, inputs.element), card('Emits', null, outputs.element)),
    h('div', { class: 'pair' }, card(spout ? 'Latencies of whole trees since the submit' : 'Latencies in execute since the submit', null, bars.element),
      card('Configuration', null, h('pre', { class: 'source', tabindex: 0 }, JSON.stringify(first.config, null, 2)), counters)));
  over.start().catch(() => {});
  const failed = async () => errors.update((await call(path`/v1/topologies/${name}`)).errors);
  failed().catch(() => {});
  const endErrors = every(3000, () => failed().catch(() => {}));

  const close = listen(`${base}/live`, {
    component(live) {
      const c = live.status;
      const times = spout ? c.complete : c.execute;
      numbers.set(spout ? 'Emitted' : 'Executed', `${rate(spout ? c.emitted_per_s : c.executed_per_s)}/s`, `${count(spout ? c.emitted : c.executed)} in all`);
      numbers.set('Acked', count(c.acked), 'in all');
      numbers.set('Failed', count(c.failed), 'in all', c.failed ? 'warn' : '');
      numbers.set('p50', quantile(times, 'p50_ms'), 'since submit');
      numbers.set('p99', quantile(times, 'p99_ms'), 'since submit');
      numbers.set('p99.9', quantile(times, 'p999_ms'), 'since submit');
      numbers.set('Busy', percent(c.capacity), 'its busiest task', c.capacity >= 0.9 ? 'bad' : c.capacity >= 0.7 ? 'warn' : '');
      numbers.set('Held up', percent(c.blocked), 'by receivers', c.blocked >= 0.05 ? 'warn' : '');
      numbers.set(spout ? 'Under way' : 'Queued', count(spout ? c.pending : c.queued), spout ? 'trees' : 'tuples');
      tasks.update(live.tasks);
      inputs.update(live.inputs);
      outputs.update(live.outputs);
      bars.update(live.histogram);
      if (task === null) over.add(live.points);
      const own = Object.entries(c.counters ?? {});
      put(counters, own.length > 0 && h('h3', {}, 'Its own counters'), own.length > 0 && h('table', { class: 'pairs' }, h('tbody', {}, own.map(([key, n]) => h('tr', {}, h('th', { scope: 'row' }, key), h('td', { class: 'num' }, count(n)))))));
    },
    gone() {
      endErrors();
      put(main, h('div', { class: 'card' }, h('h1', {}, `${name} is gone`), h('p', {}, h('a', { href: '#/' }, 'To the cluster'))));
    },
    refused() {
      location.hash = '#/';
    },
  });
  return () => {
    close();
    over.end();
    endErrors();
    tuples.end();
  };
}

function taskTable(name, spout) {
  const times = (t) => (spout ? t.complete : t.execute);
  const perS = (t) => (spout ? t.emitted_per_s : t.executed_per_s);
  return table({
    label: 'Tasks', key: (t) => t.task, filter: true,
    columns: [
      { name: 'Task', head: true, sort: (t) => t.task, show: (t) => t.task },
      { name: 'Worker', sort: (t) => t.worker ?? -1, mark: (t) => t.worker, show: (t) => (t.worker === null ? '–' : workerLink(name, t.worker)) },
      { name: 'Host', sort: (t) => t.host, show: (t) => t.host },
      { name: 'Per s', num: true, sort: perS, show: (t) => rate(perS(t)) },
      { name: 'Emitted', num: true, sort: (t) => t.emitted, show: (t) => count(t.emitted) },
      { name: 'Transferred', num: true, sort: (t) => t.transferred, show: (t) => count(t.transferred) },
      { name: 'Executed', num: true, sort: (t) => t.executed, show: (t) => count(t.executed) },
      { name: 'Acked', num: true, sort: (t) => t.acked, show: (t) => count(t.acked) },
      { name: 'Failed', num: true, sort: (t) => t.failed, show: (t) => count(t.failed) },
      { name: 'Queued', num: true, sort: (t) => t.queued + t.pending, show: (t) => count(spout ? t.pending : t.queued) },
      { name: 'Busy', num: true, sort: (t) => t.capacity, mark: (t) => t.capacity.toFixed(2), show: (t) => meter(t.capacity, percent(t.capacity)) },
      { name: 'Held up', num: true, sort: (t) => t.blocked, show: (t) => percent(t.blocked) },
      { name: 'p50', num: true, sort: (t) => times(t).p50_ms, show: (t) => quantile(times(t), 'p50_ms') },
      { name: 'p99', num: true, sort: (t) => times(t).p99_ms, show: (t) => quantile(times(t), 'p99_ms') },
      { name: 'p99.9', num: true, sort: (t) => times(t).p999_ms, show: (t) => quantile(times(t), 'p999_ms') },
    ],
  });
}

const groupingOf = (g) => (g.fields ? `${g.type} (${g.fields.join(', ')})` : g.type);

function inputTable(name) {
  return table({
    label: 'Takes in', key: (i) => `${i.from}/${i.stream}`,
    columns: [
      { name: 'From', head: true, sort: (i) => i.from, mark: (i) => i.from, show: (i) => componentLink(name, i.from) },
      { name: 'Stream', sort: (i) => i.stream, show: (i) => i.stream },
      { name: 'Grouping', show: (i) => groupingOf(i.grouping) },
      { name: 'Per s', num: true, sort: (i) => i.per_s, show: (i) => rate(i.per_s) },
      { name: 'In all', num: true, sort: (i) => i.total, show: (i) => count(i.total) },
    ],
  });
}

function outputTable(name, spout) {
  const trees = [
    { name: 'Acked', num: true, sort: (o) => o.acked, show: (o) => count(o.acked) },
    { name: 'Failed', num: true, sort: (o) => o.failed, show: (o) => count(o.failed) },
    { name: 'p50', num: true, sort: (o) => o.complete.p50_ms, show: (o) => quantile(o.complete, 'p50_ms') },
    { name: 'p99', num: true, sort: (o) => o.complete.p99_ms, show: (o) => quantile(o.complete, 'p99_ms') },
  ];
  return table({
    label: 'Emits', key: (o) => o.stream, empty: 'It emits nothing.',
    columns: [
      { name: 'Stream', head: true, sort: (o) => o.stream, show: (o) => o.stream },
      { name: 'Fields', class: 'wrap', show: (o) => o.fields },
      { name: 'To', mark: (o) => o.to.join(), show: (o) => h('span', {}, o.to.length ? '' : h('span', { class: 'dim' }, 'nobody'), o.to.flatMap((id, i) => [i ? ', ' : '', componentLink(name, id)])) },
      { name: 'Per s', num: true, sort: (o) => o.per_s, show: (o) => rate(o.per_s) },
      { name: 'In all', num: true, sort: (o) => o.emitted, show: (o) => count(o.emitted) },
      ...(spout ? trees : []),
    ],
  });
}

