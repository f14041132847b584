// Models: which there are, who uses them, and how many copies are resident where.

import { card, h, put, tiles } from '../dom.js';
import { bytes, count, many, rate } from '../format.js';
import { call, every } from '../net.js';
import { scaleOf, scores } from '../scores.js';
import { table } from '../table.js';
import { componentLink, title, topologyLink } from './parts.js';

export async function show(main) {
  const numbers = tiles(['Models', 'Files', 'Resident', 'Without sharing', 'Private']);
  const list = table({
    label: 'Models', key: (m) => `${m.topology}/${m.name}`, filter: true, empty: 'No topology uses a model.',
    columns: [
      { name: 'Model', head: true, sort: (m) => m.name, show: (m) => m.name },
      { name: 'Topology', sort: (m) => m.topology, mark: (m) => m.topology, show: (m) => topologyLink(m.topology) },
      { name: 'Version', num: true, title: 'the one in use; the topology’s page has all', sort: (m) => m.version, show: (m) => m.version },
      { name: 'File', sort: (m) => m.source_file, show: (m) => m.source_file },
      { name: 'Artefact', class: 'mono dim', show: (m) => m.artefact.slice(0, 12) },
      { name: 'Size', num: true, sort: (m) => m.bytes, show: (m) => bytes(m.bytes) },
      { name: 'Scored by', mark: (m) => m.used_by.map((u) => u.component).join(), show: (m) => h('span', {}, m.used_by.flatMap((u, i) => [i ? ', ' : '', componentLink(m.topology, u.component)])) },
      { name: 'Scored/s', num: true, sort: (m) => scored(m, 'executed_per_s'), show: (m) => rate(scored(m, 'executed_per_s')) },
      { name: 'In all', num: true, sort: (m) => scored(m, 'executed'), show: (m) => count(scored(m, 'executed')) },
      { name: 'Errors', num: true, title: 'rows that this version could not score', sort: (m) => m.numbers.errors, show: (m) => count(m.numbers.errors) },
      { name: 'Scores', title: 'of this version: the highest probability of each row, its highest decision value, or what is predicted', mark: (m) => JSON.stringify([m.numbers.rows, m.numbers.scores]), show: (m) => scores(m.numbers, scaleOf([m.numbers])) },
    ],
  });
  const copies = table({
    label: 'Resident copies', key: (c) => `${c.artefact}/${c.supervisor}`, filter: true, empty: 'No worker maps a model.',
    columns: [
      { name: 'Model', head: true, sort: (c) => c.name, show: (c) => c.name },
      { name: 'Machine', sort: (c) => c.machine, show: (c) => `${c.host} ${c.machine === c.host ? '' : c.machine.slice(0, 12)}` },
      { name: 'Mapped by', num: true, sort: (c) => c.memory.mapped_by, show: (c) => many(c.memory.mapped_by, 'process', 'processes') },
      { name: 'File', num: true, sort: (c) => c.memory.bytes, show: (c) => bytes(c.memory.bytes) },
      { name: 'Resident (pss)', num: true, title: 'what is shared counted once', sort: (c) => c.memory.pss_bytes, show: (c) => bytes(c.memory.pss_bytes) },
      { name: 'Sum of rss', num: true, title: 'what is shared counted in each process: what it would take without sharing', sort: (c) => c.memory.rss_bytes, show: (c) => bytes(c.memory.rss_bytes) },
      { name: 'Private', num: true, sort: (c) => c.memory.private_bytes, show: (c) => bytes(c.memory.private_bytes) },
    ],
  });
  put(main, title(h('h1', {}, 'Models')), numbers.element, card('Models', list.search, list.element), card('Resident copies', copies.search, copies.element));

  async function update() {
    const models = await call('/v1/models');
    list.update(models);
    // One file may have several names.
    const once = [...new Map(models.flatMap((m) => m.copies.map((c) => [`${c.artefact}/${c.supervisor}`, c]))).values()];
    copies.update(once);
    const sum = (key) => once.reduce((n, c) => n + c.memory[key], 0);
    numbers.set('Models', models.length);
    numbers.set('Files', new Set(models.map((m) => m.artefact)).size);
    numbers.set('Resident', bytes(sum('pss_bytes')), 'shared counted once');
    numbers.set('Without sharing', bytes(sum('rss_bytes')), 'sum over the processes');
    numbers.set('Private', bytes(sum('private_bytes')), 'not shared');
  }

  await update();
  return every(2000, () => update().catch(() => {}));
}

const scored = (m, key) => m.used_by.reduce((n, u) => n + u[key], 0);
