// One topology: its graph, what it does over time, its components, workers, errors, configuration.

import { attr, card, h, meter, put, say, tiles } from '../dom.js';
import { bytes, clock, count, many, millis, percent, quantile, rate, span } from '../format.js';
import { graph } from '../graph.js';
import { call, listen, path } from '../net.js';
import { table } from '../table.js';
import * as actions from './actions.js';
import { charts } from './charts.js';
import { stateOf } from './cluster.js';
import { errorTable } from './errors.js';
import { levels } from './levels.js';
import { badge, componentLink, eventList, memory, title, workerLink } from './parts.js';
import { versions } from './versions.js';

export async function show(main, name) {
  const base = path`/v1/topologies/${name}`;
  const [plan, drawn] = await Promise.all([call(`${base}/plan`), call(`${base}/graph`)]);
  let status = null;
  let listed = null;
  let copies = null;
  const state = h('span', { id: 'state' });
  const facts = h('span', { class: 'dim' });
  const button = (text, act, tone) => h('button', { type: 'button', class: tone ?? 'plain', onclick: act }, text);
  const [activate, deactivate] = [button('Activate', () => actions.activate(name).catch(fail)), button('Deactivate', () => actions.deactivate(name))];
  const [rebalance, kill] = [button('Rebalance …', () => status && actions.rebalance(status)), button('Kill …', () => actions.kill(name), 'danger')];
  const wrong = h('p', { class: 'wrong', role: 'alert', hidden: true });
  const fail = (error) => { say(wrong, error.message); wrong.hidden = false; };
  const numbers = tiles(['Emitted', 'Acked', 'p50', 'p99', 'p99.9', 'Under way', 'Failed', 'Errors']);
  const over = charts({ path: `${base}/history`, spout: true });
  const holder = h('div');
  let picture = draw(drawn);
  const zoom = h('span', {}, picture.controls);
  const components = componentTable(name);
  const workers = workerTable(name);
  const errors = errorTable(name);
  const happened = h('div');
  const models = h('div');
  const deployed = h('div');
  const logs = h('div', { id: 'levels' });
  const logged = levels(logs, name);

  function draw(data) {
    const one = graph(data, (id) => { location.hash = `#/t/${encodeURIComponent(name)}/c/${encodeURIComponent(id)}`; });
    put(holder, one.element);
    return one;
  }

  put(main,
    title(h('h1', {}, name), state, facts, h('span', { class: 'push' }),
      h('div', { class: 'actions' }, h('a', { class: 'button', href: `#/t/${encodeURIComponent(name)}/logs` }, 'Logs'), button('Log level …', () => actions.logLevel(name).then(logged.update)), activate, deactivate, rebalance, kill)),
    wrong, logs, numbers.element, card('Flow', zoom, holder), over.element,
    card('Components', components.search, components.element), card('Workers', workers.search, workers.element),
    card('Errors', errors.search, h('div', { class: 'tall', tabindex: 0 }, errors.element)), card('Models', null, deployed, models),
    h('div', { class: 'pair' }, card('What happened', null, happened), card('Configuration', null, settings(plan))),
    card('Topology file', null, h('pre', { class: 'source', tabindex: 0 }, plan.source || 'It was submitted without its text.')));
  over.start().catch(() => {});
  const endVersions = versions(deployed, name);

  const close = listen(`${base}/live`, {
    async topology(live) {
      const tasks = status?.components.map((c) => c.tasks).join();
      status = live.status;
      put(state, stateOf(status));
      const left = status.wait_left_ms === undefined ? '' : `, ${status.state === 'KILLED' ? 'stops' : 'goes on'} within ${span(status.wait_left_ms)}`;
      say(facts, `${status.id}, up ${span(status.uptime_ms)}, ${many(status.workers.length, 'worker')}${left}`);
      attr(activate, 'disabled', status.state !== 'INACTIVE');
      attr(deactivate, 'disabled', status.state !== 'ACTIVE');
      attr(rebalance, 'disabled', !['ACTIVE', 'INACTIVE'].includes(status.state));
      tell(numbers, live);
      over.add(live.points, live.events);
      const events = over.events();
      const now = `${events.length} ${events[events.length - 1]?.number}`;
      if (listed !== now) put(happened, eventList(events));
      listed = now;
      components.update(status.components.map((c) => ({ ...c, lately: live.components[c.id] })));
      workers.update(status.workers);
      errors.update(status.errors);
      const mapped = JSON.stringify(status.models);
      if (mapped !== copies) put(models, modelList(status.models));
      copies = mapped;
      // After a rebalance the boxes say other numbers of tasks.
      if (tasks !== undefined && tasks !== status.components.map((c) => c.tasks).join()) {
        picture = draw(await call(`${base}/graph`));
        put(zoom, picture.controls);
      }
      picture.update(live.components, live.edges);
    },
    gone() {
      leave();
      put(main, h('div', { class: 'card' }, h('h1', {}, `${name} is gone`), h('p', {}, 'It was killed.'), h('p', {}, h('a', { href: '#/' }, 'To the cluster'))));
    },
    refused() {
      location.hash = '#/';
    },
  });
  function leave() {
    close();
    over.end();
    endVersions();
    logged.end();
  }
  return leave;
}

function tell(numbers, live) {
  const { status } = live;
  const spouts = status.components.filter((c) => c.kind === 'spout');
  const sum = (of, list = spouts) => list.reduce((all, c) => all + of(c), 0);
  const last = live.points[live.points.length - 1];
  const lately = (key) => spouts.reduce((all, c) => {
    const l = live.components[c.id];
    return all + (l ? (l[key] * 1000) / Math.max(1, l.ms) : 0);
  }, 0);
  numbers.set('Emitted', `${rate(lately('emitted'))}/s`, `${count(sum((c) => c.emitted))} in all`);
  numbers.set('Acked', `${rate(lately('acked'))}/s`, `${count(sum((c) => c.acked))} in all`);
  // Several spouts: the slowest counts.
  const slowest = Math.max(0, ...spouts.map((c) => live.components[c.id]?.complete_ms?.[1] ?? 0));
  const worst = spouts.map((c) => live.components[c.id]?.complete_ms).find((t) => t && t[1] === slowest);
  ['p50', 'p99', 'p99.9'].forEach((label, i) => numbers.set(label, worst ? millis(worst[i]) : '–', 'last 10 s'));
  numbers.set('Under way', count(sum((c) => c.pending)), `${count(sum((c) => c.queued, status.components))} queued`);
  const failed = sum((c) => c.failed);
  numbers.set('Failed', count(failed), `${rate(lately('failed'))}/s`, lately('failed') > 0 ? 'bad' : '');
  const [errors, restarts] = [sum((c) => c.errors, status.components), status.workers.reduce((n, w) => n + w.restarts, 0)];
  numbers.set('Errors', count(errors), many(restarts, 'restart'), errors && last?.errors ? 'bad' : '');
}

function componentTable(name) {
  return table({
    label: 'Components', key: (c) => c.id, filter: true,
    columns: [
      { name: 'Component', head: true, sort: (c) => c.id, mark: (c) => c.id, show: (c) => componentLink(name, c.id) },
      { name: 'Type', sort: (c) => c.type, show: (c) => c.type },
      { name: 'Tasks', num: true, sort: (c) => c.tasks, show: (c) => c.tasks },
      { name: 'Per s', num: true, title: 'emitted by a spout, executed by a bolt, over the last 10 s', sort: flowOf, show: (c) => rate(flowOf(c)) },
      { name: 'Emitted', num: true, sort: (c) => c.emitted, show: (c) => count(c.emitted) },
      { name: 'Executed', num: true, sort: (c) => c.executed, show: (c) => count(c.executed) },
      { name: 'Acked', num: true, sort: (c) => c.acked, show: (c) => count(c.acked) },
      { name: 'Failed', num: true, sort: (c) => c.failed, show: (c) => count(c.failed) },
      { name: 'Queued', num: true, title: 'tuples that wait for it; trees under way of a spout', sort: waits, show: (c) => count(waits(c)) },
      { name: 'Busy', num: true, title: 'the share of its time that its busiest task works', sort: (c) => c.capacity, mark: (c) => c.capacity.toFixed(2), show: (c) => meter(c.capacity, percent(c.capacity)) },
      { name: 'Held up', num: true, title: 'the share of the time it could not run because those it feeds were full', sort: (c) => c.blocked, show: (c) => percent(c.blocked) },
      { name: 'p50', num: true, title: 'of a spout from emit to ack, of a bolt in execute; since the submit', sort: (c) => timesOf(c).p50_ms, show: (c) => quantile(timesOf(c), 'p50_ms') },
      { name: 'p99', num: true, sort: (c) => timesOf(c).p99_ms, show: (c) => quantile(timesOf(c), 'p99_ms') },
      { name: 'p99.9', num: true, sort: (c) => timesOf(c).p999_ms, show: (c) => quantile(timesOf(c), 'p999_ms') },
      { name: 'Errors', num: true, sort: (c) => c.errors, show: (c) => count(c.errors) },
    ],
  });
}

const flowOf = (c) => (c.kind === 'spout' ? c.emitted_per_s : c.executed_per_s);
const timesOf = (c) => (c.kind === 'spout' ? c.complete : c.execute);
const waits = (c) => (c.kind === 'spout' ? c.pending : c.queued);

function workerTable(name) {
  return table({
    label: 'Workers', key: (w) => w.worker, filter: true, empty: 'It has no workers: it waits for slots, or is being stopped.',
    columns: [
      { name: 'Worker', head: true, sort: (w) => w.worker, mark: (w) => w.worker, show: (w) => workerLink(name, w.worker) },
      { name: 'Phase', sort: (w) => w.phase ?? '', mark: (w) => `${w.phase}${w.problem}${w.silent}`, show: (w) => h('span', {}, w.silent ? silent(w) : badge(w.phase ?? 'down', w.phase ? undefined : 'bad'), w.problem && h('span', { class: 'warned' }, ` ${w.problem}`)) },
      { name: 'Machine', sort: (w) => w.machine, show: (w) => (w.machine === w.host || w.machine.length > 16 ? w.host : `${w.host} ${w.machine}`) },
      { name: 'Slot', num: true, sort: (w) => w.slot, show: (w) => w.slot },
      { name: 'Pid', num: true, show: (w) => w.pid ?? '–' },
      { name: 'Tasks', num: true, sort: (w) => w.tasks.length, show: (w) => w.tasks.length },
      { name: 'Cores', num: true, title: 'processor cores it keeps busy', sort: (w) => w.usage.cores_busy, show: (w) => w.usage.cores_busy.toFixed(2) },
      { name: 'Memory', num: true, title: 'resident', sort: (w) => w.usage.rss_bytes, show: (w) => bytes(w.usage.rss_bytes) },
      { name: 'Up', num: true, sort: (w) => w.uptime_ms, show: (w) => span(w.uptime_ms) },
      { name: 'Restarts', num: true, sort: (w) => w.restarts, show: (w) => w.restarts },
      { name: 'Last end', mark: (w) => w.last_exit?.incarnation ?? '', show: (w) => (w.last_exit ? h('span', { title: w.last_exit.output }, `${w.last_exit.how} at ${clock(w.last_exit.unix_ms)}`) : '–') },
      { name: '', mark: () => '', show: (w) => h('button', { type: 'button', class: 'plain', 'aria-label': `Restart worker ${w.worker}`, onclick: () => actions.restart(name, w.worker) }, 'Restart …') },
    ],
  });
}

/** Of a worker whose supervisor is not heard nobody knows what it does now. */
const silent = (w) => h('span', { title: 'nothing is heard of its supervisor' }, badge('silent'), w.phase && h('span', { class: 'dim' }, ` was ${w.phase}`));

function modelList(models) {
  if (!models.length) return '';
  return h('ul', { class: 'plainlist' }, models.map((m) => h('li', {}, h('b', {}, m.name), ` ${m.source_file}, ${bytes(m.memory.bytes)} on ${m.machine.slice(0, 16)}: ${memory(m.memory)}`)));
}

function settings(plan) {
  const rows = Object.entries(plan.settings).map(([key, value]) => h('tr', {}, h('th', { scope: 'row' }, key), h('td', {}, String(value))));
  const worker = plan.worker && h('tr', {}, h('th', { scope: 'row' }, 'worker binary'), h('td', { class: 'mono' }, plan.worker.slice(0, 16)));
  return h('table', { class: 'pairs' }, h('tbody', {}, rows, worker));
}
