// What several pages show.

import { h } from '../dom.js';
import { bytes, clock, many } from '../format.js';

/** A link to a topology. */
export const topologyLink = (name) => h('a', { href: `#/t/${encodeURIComponent(name)}` }, name);

/** A link to a component. */
export const componentLink = (topology, id) => h('a', { href: `#/t/${encodeURIComponent(topology)}/c/${encodeURIComponent(id)}` }, id);

/** A link to a worker's log. */
export const workerLink = (topology, worker) => h('a', { href: `#/t/${encodeURIComponent(topology)}/logs?worker=${worker}`, title: 'its log' }, String(worker));

/** A topology's or a worker's state. */
export const badge = (text, tone) => h('span', { class: 'badge', 'data-tone': tone ?? TONES[text] ?? 'plain' }, text);

const TONES = { ACTIVE: 'good', INACTIVE: 'plain', REBALANCING: 'warn', KILLED: 'bad', running: 'good', finished: 'good', drained: 'plain', starting: 'warn', connecting: 'warn', failed: 'bad', alive: 'good', silent: 'bad' };

/** The tone of an event on a time line. */
export const toneOf = (kind) => ({ 'worker-ended': 'bad', error: 'bad', note: 'warn', rebalanced: 'warn', 'worker-up': 'good' })[kind] ?? 'plain';

/** A list of events, newest first. */
export function eventList(events) {
  if (!events.length) return h('p', { class: 'none' }, 'Nothing has happened yet.');
  return h('ol', { class: 'events' }, [...events].reverse().slice(0, 200).map((e) => h('li', { 'data-tone': toneOf(e.kind) },
    h('time', {}, clock(e.unix_ms)), h('span', { class: 'what' }, e.component && h('b', {}, `${e.component}: `), e.text))));
}

/** A model's memory on one machine. */
export const memory = (use) => `${many(use.mapped_by, 'process', 'processes')}, ${bytes(use.pss_bytes)} resident in all, ${bytes(use.private_bytes)} private`;

/** A title line with what belongs beside it. */
export const title = (...children) => h('div', { class: 'title' }, ...children);
