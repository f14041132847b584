// A live tap: sampled tuples of a stream, as they pass.

import { attr, card, h, put, say } from '../dom.js';
import { moment } from '../format.js';
import { call, path, ready, Unreachable } from '../net.js';

/** Samples a second and worker. */
const PER_SECOND = 5;
const MOST = 200;

/** A card that taps a component's streams; end() closes what is open. */
export function tap(topology, component, streams) {
  const taps = path`/v1/topologies/${topology}/taps`;
  const which = h('select', { 'aria-label': 'Stream' }, streams.map((s) => h('option', { value: s }, s)));
  const toggle = h('button', { type: 'button', class: 'plain', id: 'tap' }, 'Watch tuples');
  const state = h('span', { class: 'dim', role: 'status' });
  const lines = h('div', { class: 'lines short', tabindex: 0, 'aria-label': 'Sampled tuples', hidden: true });
  let watching = 0;

  async function watch() {
    const mine = ++watching;
    let id = await open();
    put(lines, h('p', { class: 'none' }, 'Waiting for tuples …'));
    lines.hidden = false;
    attr(toggle, 'aria-pressed', 'true');
    say(toggle, 'Stop');
    say(state, `up to ${PER_SECOND} a second of each worker`);
    let after = 0;
    while (mine === watching) {
      try {
        if (id === null) [id, after] = [await open(), 0];
        const found = await call(`${taps}/${id}?after=${after}&wait_ms=5000`);
        if (mine !== watching) break;
        if (found) after = found.next;
        if (found?.samples.length) add(found.samples);
      } catch (error) {
        // Nimbus, started again, knows no taps; neither does it keep those of pages that nobody sees.
        if (error.status === 404 && id !== null) id = null;
        else if (!(error instanceof Unreachable)) throw error;
      }
      await ready();
    }
    if (id !== null) await call(`${taps}/${id}`, { method: 'DELETE' }).catch(() => {});
  }

  const open = async () => (await call(taps, { method: 'POST', body: { component, stream: which.value, per_second: PER_SECOND } })).id;

  function add(samples) {
    lines.querySelector('.none')?.remove();
    for (const one of samples) {
      const row = h('div', { class: 'row' },
        h('time', { title: new Date(one.unix_ms).toISOString() }, moment(one.unix_ms)), h('span', { class: 'who' }, `task ${one.task}`),
        h('span', { class: 'message' }, JSON.stringify(one.tuple), one.cut && ' … (cut)'));
      row.at = one.unix_ms;
      // Workers are heard one after the other: the newest stands first, whoever told it.
      let below = lines.firstChild;
      while (below?.at > row.at) below = below.nextSibling;
      lines.insertBefore(row, below);
    }
    while (lines.childElementCount > MOST) lines.lastChild.remove();
  }

  function end() {
    watching += 1;
    attr(toggle, 'aria-pressed', 'false');
    say(toggle, 'Watch tuples');
    say(state, '');
  }

  toggle.addEventListener('click', () => {
    if (toggle.getAttribute('aria-pressed') === 'true') return end();
    return watch().catch((error) => {
      end();
      say(state, error.message);
    });
  });
  which.addEventListener('change', end);
  const element = card('Live tuples', h('span', { class: 'actions' }, state, streams.length > 1 && which, toggle), streams.length ? lines : h('p', { class: 'none' }, 'It emits nothing.'));
  return { element, end };
}
