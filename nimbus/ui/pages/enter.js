// The token, asked once.

import { h, put } from '../dom.js';
import { call } from '../net.js';

export function show(main, then) {
  const token = h('input', { id: 'token', type: 'password', autocomplete: 'current-password', required: true });
  const wrong = h('p', { class: 'wrong', role: 'alert', hidden: true });
  const form = h('form', { id: 'enter', class: 'card narrow' },
    h('h1', {}, 'Squall'),
    h('p', {}, 'This page needs the cluster’s token once. It is in the file ', h('code', {}, 'token'), ' in nimbus’s folder. Or run ', h('code', {}, 'squall ui'), ', which prints a link that needs none.'),
    h('div', { class: 'field' }, h('label', { for: 'token' }, 'Token'), token), wrong,
    h('div', { class: 'buttons' }, h('button', { type: 'submit', class: 'main' }, 'Enter')));
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    wrong.hidden = true;
    try {
      await call('/v1/page/session', { method: 'POST', body: { token: token.value.trim() } });
      then();
    } catch (error) {
      wrong.textContent = error.message;
      wrong.hidden = false;
    }
  });
  put(main, form);
  token.focus();
}
