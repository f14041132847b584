// Dialogs: a form, what may go wrong, and a way out by Escape.

import { attr, h, put, say } from './dom.js';

/** More fields than this have a filter. */
const MANY = 15;

/**
 * Asks with a form: fields are {name, label, type, value, min, note, filtered, wide}, or with a list of options;
 * of many that are `filtered` those are shown whose label holds a text; run(values, tell, signal) does it and
 * may throw; tell(text, share) shows how far it is, and the signal is aborted when the dialog is closed meanwhile. Answers whether it was done.
 */
export function ask({ title, text, fields = [], verb, danger = false, run }) {
  return new Promise((resolve) => {
    const inputs = new Map();
    const filtered = [];
    const rows = fields.map((f) => {
      const input = f.options ? h('select', { id: `f-${f.name}`, name: f.name }, f.options.map((o) => h('option', { value: o }, o))) : h('input', { id: `f-${f.name}`, name: f.name, type: f.type ?? 'text', value: f.value ?? '', min: f.min, max: f.max, step: f.step, accept: f.accept, required: f.required, placeholder: f.placeholder, class: f.wide && 'wide', autocomplete: 'off' });
      if (f.options) input.value = f.value ?? f.options[0];
      inputs.set(f.name, input);
      const row = h('div', { class: 'field' }, h('label', { for: `f-${f.name}` }, f.label), input, f.note && h('span', { class: 'note' }, f.note));
      if (f.filtered) filtered.push([f.label.toLowerCase(), row]);
      return row;
    });
    if (filtered.length > MANY) rows.splice(rows.indexOf(filtered[0][1]), 0, filterOf(filtered));
    const wrong = h('p', { class: 'wrong', role: 'alert', hidden: true });
    const step = h('span', {});
    const bar = h('progress', { 'aria-label': 'Progress' });
    const progress = h('div', { class: 'progress', role: 'status', hidden: true }, step, bar);
    const tell = (text, share) => {
      say(step, text);
      // Without a share it moves to and fro.
      attr(bar, 'value', share);
      progress.hidden = false;
    };
    const leaving = new AbortController();
    const go = h('button', { type: 'submit', class: danger ? 'danger' : 'main' }, verb);
    const cancel = h('button', { type: 'button', class: 'plain', onclick: () => dialog.close() }, 'Cancel');
    const form = h('form', { method: 'dialog' }, h('h2', {}, title), text && h('p', {}, text),
      h('div', { class: 'fields' }, rows), progress, wrong, h('div', { class: 'buttons' }, cancel, go));
    const dialog = h('dialog', { 'aria-label': title }, form);
    let done = false;
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      go.disabled = true;
      wrong.hidden = true;
      try {
        await run(Object.fromEntries([...inputs].map(([name, input]) => [name, input.type === 'file' ? input.files[0] : input.value.trim()])), tell, leaving.signal);
        done = true;
        dialog.close();
      } catch (error) {
        put(wrong, error.message, (error.details ?? []).length > 1 && h('ul', {}, error.details.map((d) => h('li', {}, d))));
        wrong.hidden = false;
        progress.hidden = true;
        go.disabled = false;
      }
    });
    dialog.addEventListener('close', () => {
      leaving.abort();
      dialog.remove();
      resolve(done);
    });
    document.body.append(dialog);
    dialog.showModal();
    (rows.length ? inputs.values().next().value : cancel).focus();
  });
}

function filterOf(filtered) {
  const input = h('input', {
    type: 'search', placeholder: 'Filter', 'aria-label': 'Filter: fields',
    oninput: () => filtered.forEach(([label, row]) => { row.hidden = !label.includes(input.value.trim().toLowerCase()); }),
    // Enter is for what is asked, not for what is looked for.
    onkeydown: (event) => event.key === 'Enter' && event.preventDefault(),
  });
  return h('div', { class: 'field' }, h('span', { class: 'dim' }, `Filter of these ${filtered.length}`), input);
}
