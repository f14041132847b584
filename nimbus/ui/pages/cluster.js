// The cluster: machines, slots, topologies.

import { spark } from '../chart.js';
import { card, h, meter, put, tiles } from '../dom.js';
import { bytes, count, many, percent, quantile, rate, short, span } from '../format.js';
import { listen } from '../net.js';
import { table } from '../table.js';
import { badge, title, topologyLink } from './parts.js';

export function show(main) {
  const numbers = tiles(['Topologies', 'Throughput', 'Machines', 'Slots', 'Processors', 'Memory']);
  const topologies = table({
    label: 'Topologies', key: (t) => t.id, filter: true,
    empty: 'No topology runs. `squall submit FILE` starts one.',
    columns: [
      { name: 'Name', head: true, sort: (t) => t.name, mark: (t) => t.name, show: (t) => topologyLink(t.name) },
      { name: 'State', sort: (t) => t.state, mark: (t) => `${t.state}${t.waiting}${t.finished}`, show: stateOf },
      { name: 'Last minute', show: (t) => spark(t.trend) },
      { name: 'Tuples/s', num: true, title: 'emitted by spouts', sort: (t) => t.emitted_per_s, show: (t) => rate(t.emitted_per_s) },
      { name: 'Acked/s', num: true, sort: (t) => t.acked_per_s, show: (t) => rate(t.acked_per_s) },
      { name: 'p50', num: true, title: 'from emit to ack of whole trees', sort: (t) => t.complete.p50_ms, show: (t) => quantile(t.complete, 'p50_ms') },
      { name: 'p99', num: true, title: 'from emit to ack of whole trees', sort: (t) => t.complete.p99_ms, show: (t) => quantile(t.complete, 'p99_ms') },
      { name: 'Busiest task', sort: (t) => t.capacity, num: true, mark: (t) => t.capacity.toFixed(2), show: (t) => meter(t.capacity, percent(t.capacity)) },
      { name: 'Failed/s', num: true, sort: (t) => t.failed_per_s, show: (t) => rate(t.failed_per_s) },
      { name: 'Errors', num: true, sort: (t) => t.errors, show: (t) => count(t.errors) },
      { name: 'Workers', num: true, sort: (t) => t.workers, show: (t) => t.workers },
      { name: 'Tasks', num: true, sort: (t) => t.tasks, show: (t) => t.tasks },
      { name: 'Up', num: true, sort: (t) => t.uptime_ms, show: (t) => span(t.uptime_ms) },
    ],
  });
  const machines = table({
    label: 'Supervisors', key: (s) => s.id, filter: true,
    empty: 'No supervisor is here. `squall supervisor` starts one.',
    columns: [
      { name: 'Machine', head: true, sort: (s) => s.machine, mark: (s) => s.machine + s.host, show: (s) => h('span', {}, s.host, ' ', h('span', { class: 'dim', title: `machine ${s.machine}` }, s.machine === s.host ? '' : s.machine.slice(0, 12))) },
      { name: 'State', sort: (s) => (s.alive ? 0 : 1), mark: (s) => `${s.alive}`, show: (s) => badge(s.alive ? 'alive' : 'silent') },
      { name: 'Slots', num: true, sort: (s) => s.slots_used, mark: (s) => `${s.slots_used}/${s.slots}`, show: (s) => meter(s.slots_used / Math.max(1, s.slots), `${s.slots_used} of ${s.slots}`, 'fine') },
      { name: 'Processors', num: true, title: 'busy cores, by whatever process', sort: (s) => s.usage.cores_busy, mark: (s) => s.usage.cores_busy.toFixed(1), show: (s) => meter(s.usage.cores_busy / Math.max(1, s.cores), `${s.usage.cores_busy.toFixed(1)} of ${s.cores}`) },
      { name: 'Memory', num: true, sort: (s) => s.usage.memory_used_bytes, mark: (s) => `${Math.round(s.usage.memory_used_bytes / 1e7)}`, show: (s) => meter(s.usage.memory_used_bytes / Math.max(1, s.memory_bytes), `${bytes(s.usage.memory_used_bytes)} of ${bytes(s.memory_bytes)}`) },
      { name: 'Models', num: true, title: 'mapped model files, their resident bytes with what is shared counted once, and how many processes map the same one', sort: (s) => s.models.length, show: modelsOf },
      { name: 'Up', num: true, sort: (s) => s.uptime_ms, show: (s) => (s.alive ? span(s.uptime_ms) : `silent for ${span(s.silent_ms)}`) },
      { name: 'Version', show: (s) => s.version },
      { name: 'Supervisor', class: 'dim mono', show: (s) => s.id.slice(0, 8) },
    ],
  });
  const about = h('span', { class: 'dim' });
  put(main, title(h('h1', {}, 'Cluster'), about), numbers.element,
    card('Topologies', topologies.search, topologies.element), card('Machines', machines.search, machines.element));

  const close = listen('/v1/live', {
    cluster({ cluster, topologies: glances }) {
      about.textContent = `nimbus ${cluster.version}, up ${span(cluster.uptime_ms)}`;
      const list = cluster.topologies.map((t) => ({ ...t, ...glances[t.id] }));
      topologies.update(list);
      machines.update(cluster.supervisors);
      const alive = cluster.supervisors.filter((s) => s.alive);
      // Several supervisors may share a machine: its processors and memory count once.
      const real = [...new Map(alive.map((s) => [s.machine, s])).values()];
      const once = (of) => real.reduce((all, s) => all + of(s), 0);
      const waiting = list.filter((t) => t.waiting).length;
      numbers.set('Topologies', list.length, waiting ? `${waiting} waiting` : many(list.reduce((n, t) => n + t.tasks, 0), 'task'), waiting ? 'warn' : '');
      numbers.set('Throughput', `${rate(list.reduce((n, t) => n + t.emitted_per_s, 0))}/s`, 'emitted by spouts');
      const silent = cluster.supervisors.length - alive.length;
      numbers.set('Machines', real.length, silent ? `${silent} silent` : many(alive.length, 'supervisor'), silent ? 'bad' : '');
      numbers.set('Slots', `${cluster.slots_used}/${cluster.slots_total}`, `${cluster.slots_free} free`, cluster.slots_free ? '' : 'warn');
      const [busy, cores] = [once((s) => s.usage.cores_busy), once((s) => s.cores)];
      numbers.set('Processors', percent(Math.min(1, busy / Math.max(1, cores))), `${busy.toFixed(1)} of ${cores} cores`, busy / cores > 0.9 ? 'warn' : '');
      const [used, memory] = [once((s) => s.usage.memory_used_bytes), once((s) => s.memory_bytes)];
      numbers.set('Memory', percent(used / Math.max(1, memory)), `${bytes(used)} of ${bytes(memory)}`, used / memory > 0.9 ? 'warn' : '');
    },
  });
  return close;
}

/** Its state, and what it waits for. */
export function stateOf(t) {
  const state = t.finished && t.state === 'ACTIVE' ? badge('finished') : badge(t.state);
  return t.waiting ? h('span', {}, state, ' ', h('span', { class: 'warned waits', title: t.waiting }, short(t.waiting))) : state;
}

function modelsOf(s) {
  if (!s.models.length) return '–';
  const pss = s.models.reduce((n, m) => n + m.pss_bytes, 0);
  return `${many(s.models.length, 'file')}, ${bytes(pss)}, ${many(Math.max(...s.models.map((m) => m.mapped_by)), 'process', 'processes')}`;
}
