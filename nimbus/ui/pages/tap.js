// A live tap: sampled tuples of a stream, as they pass.

import { attr, card, h, put, say } from '../dom.js';
import { call, path } from '../net.js';

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
    const { id } = await call(taps, { method: 'POST', body: { component, stream: which.value, per_second: PER_SECOND } });
    put(lines);
    lines.hidden = false;
    attr(toggle, 'aria-pressed', 'true');
    say(toggle, 'Stop');
    say(state, `up to ${PER_SECOND} a second of each worker`);
    let after = 0;
    while (mine === watching) {
      const found = await call(`${taps}/${id}?after=${after}&wait_ms=5000`);
      if (found && mine === watching) {
        after = found.next;
        lines.prepend(...found.samples.reverse().map((one) => h('div', { class: 'row' },
          h('time', {}, new Date(one.unix_ms).toISOString().slice(11, 23)), h('span', { class: 'who' }, `task ${one.task}`),
          h('span', { class: 'message' }, JSON.stringify(one.tuple), one.cut && ' … (cut)'))));
        while (lines.childElementCount > MOST) lines.lastChild.remove();
      }
    }
    await call(`${taps}/${id}`, { method: 'DELETE' });
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
