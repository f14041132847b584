// Dialogs: a form, what may go wrong, and a way out by Escape.

import { h, put } from './dom.js';

/**
 * Asks with a form: fields are {name, label, type, value, min, note}, or with a list of options; run(values) does it and may throw. Answers whether it was done.
 */
export function ask({ title, text, fields = [], verb, danger = false, run }) {
  return new Promise((resolve) => {
    const inputs = new Map();
    const rows = fields.map((f) => {
      const input = f.options ? h('select', { id: `f-${f.name}`, name: f.name }, f.options.map((o) => h('option', { value: o }, o))) : h('input', { id: `f-${f.name}`, name: f.name, type: f.type ?? 'text', value: f.value ?? '', min: f.min, max: f.max, step: f.step, placeholder: f.placeholder, autocomplete: 'off' });
      if (f.options) input.value = f.value ?? f.options[0];
      inputs.set(f.name, input);
      return h('div', { class: 'field' }, h('label', { for: `f-${f.name}` }, f.label), input, f.note && h('span', { class: 'note' }, f.note));
    });
    const wrong = h('p', { class: 'wrong', role: 'alert', hidden: true });
    const go = h('button', { type: 'submit', class: danger ? 'danger' : 'main' }, verb);
    const cancel = h('button', { type: 'button', class: 'plain', onclick: () => dialog.close() }, 'Cancel');
    const form = h('form', { method: 'dialog' }, h('h2', {}, title), text && h('p', {}, text),
      h('div', { class: 'fields' }, rows), wrong, h('div', { class: 'buttons' }, cancel, go));
    const dialog = h('dialog', { 'aria-label': title }, form);
    let done = false;
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      go.disabled = true;
      wrong.hidden = true;
      try {
        await run(Object.fromEntries([...inputs].map(([name, input]) => [name, input.value.trim()])));
        done = true;
        dialog.close();
      } catch (error) {
        put(wrong, error.message, (error.details ?? []).length > 1 && h('ul', {}, error.details.map((d) => h('li', {}, d))));
        wrong.hidden = false;
        go.disabled = false;
      }
    });
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(done);
    });
    document.body.append(dialog);
    dialog.showModal();
    (rows.length ? inputs.values().next().value : cancel).focus();
  });
}
