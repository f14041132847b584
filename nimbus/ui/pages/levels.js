// What a topology's workers log more or less than usual, for how long still, and the way to end that.

import { h, put } from '../dom.js';
import { clock } from '../format.js';
import { call, every, path } from '../net.js';

/** A line for each level that is in force in `element`; update() asks anew, end() ends asking. */
export function levels(element, topology) {
  const log = path`/v1/topologies/${topology}/log`;
  let shown = '[]';

  function show(found) {
    // Drawn anew only when something has changed, so that the focus stays.
    if (JSON.stringify(found) === shown) return;
    shown = JSON.stringify(found);
    put(element, found.map((l) => h('p', { class: 'note' },
      l.logger ? [h('code', {}, l.logger), ' logs at '] : 'All loggers log at ', h('b', {}, l.level), ` until ${clock(l.until_unix_ms)}. `,
      h('button', { type: 'button', class: 'plain', 'aria-label': `End ${l.level} of ${l.logger || 'all loggers'} now`, onclick: () => end(l.logger) }, 'End now'))));
  }

  const update = () => call(log).then(show, () => {});
  // What is refused is seen from what stays.
  const end = (logger) => call(log, { method: 'POST', body: { logger } }).then(show, update);
  update();
  return { update, end: every(4000, update) };
}
