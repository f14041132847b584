// Which page is shown, and what all pages have around them.

import { attr, h, put, say } from './dom.js';
import { call, on, Unreachable } from './net.js';
import * as cluster from './pages/cluster.js';
import * as component from './pages/component.js';
import * as enter from './pages/enter.js';
import * as logs from './pages/logs.js';
import * as models from './pages/models.js';
import * as topology from './pages/topology.js';

const main = document.getElementById('main');
const live = document.getElementById('live');
const lost = document.getElementById('lost');

/** Each page: its path, and what shows it. show(main, …parts) gives back what ends it. */
const PAGES = [
  [/^\/?$/, cluster],
  [/^\/models$/, models],
  [/^\/logs$/, logs],
  [/^\/logs\/daemons$/, { show: logs.daemons }],
  [/^\/t\/([^/]+)\/logs$/, logs],
  [/^\/t\/([^/]+)\/c\/([^/]+)$/, component],
  [/^\/t\/([^/]+)$/, topology],
];

let leave = null;
let shown = 0;
/** The page could not be shown because nimbus was away. */
let missed = false;

/** The page at a path and the names in it; none where there is no such page. */
function find(path) {
  const [at, page] = PAGES.find(([pattern]) => pattern.test(path)) ?? [];
  try {
    return [page, at ? path.match(at).slice(1).map(decodeURIComponent) : []];
  } catch {
    // What is no UTF-8 names nothing.
    return [undefined, []];
  }
}

async function route() {
  const now = ++shown;
  leave?.();
  leave = null;
  missed = false;
  document.querySelectorAll('dialog').forEach((d) => d.close());
  const path = location.hash.replace(/^#/, '').split('?')[0];
  const [page, parts] = find(path);
  for (const link of document.querySelectorAll('#nav a')) {
    const to = link.getAttribute('href').slice(1);
    const here = to === '/' ? /^(\/t\/|$)/.test(path) : path.startsWith(`${to}/`);
    attr(link, 'aria-current', to === (path || '/') ? 'page' : here ? 'true' : null);
  }
  put(main, page ? null : h('p', { class: 'none' }, 'There is no such page.'));
  window.scrollTo(0, 0);
  if (!page) return;
  document.title = ['Squall', ...parts].reverse().join(' · ');
  try {
    const end = await page.show(main, ...parts);
    // Somebody may have gone on meanwhile.
    if (now === shown) leave = end;
    else end?.();
  } catch (error) {
    if (now !== shown || error.status === 401) return;
    missed = error instanceof Unreachable;
    if (missed) return void put(main, h('p', { class: 'none' }, 'This page will be shown when nimbus answers again.'));
    put(main, h('div', { class: 'card' }, h('h1', {}, 'That did not work'), h('p', { class: 'wrong' }, error.message), h('p', {}, h('a', { href: '#/' }, 'To the cluster'))));
  }
}

on('lost', () => {
  attr(live, 'data-state', 'lost');
  say(live, 'not connected');
  say(lost, 'The connection to nimbus is lost; what you see is what was last heard. Trying again …');
  lost.hidden = false;
});
on('back', () => {
  attr(live, 'data-state', 'live');
  say(live, 'live');
  lost.hidden = true;
  if (missed) route();
});
on('locked', locked);

/** Shows nothing but the question for the token. */
function locked() {
  signOut.hidden = true;
  if (document.getElementById('enter')) return;
  shown += 1;
  leave?.();
  leave = null;
  attr(live, 'data-state', null);
  say(live, '');
  enter.show(main, begin);
}

const signOut = document.getElementById('leave');
signOut.addEventListener('click', () => call('/v1/page/session', { method: 'DELETE' }).then(locked, () => {}));

const theme = document.getElementById('theme');
const setTheme = (name) => attr(document.documentElement, 'data-theme', name);
setTheme(localStorage.getItem('theme'));
theme.addEventListener('click', () => {
  const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  localStorage.setItem('theme', dark ? 'light' : 'dark');
  setTheme(dark ? 'light' : 'dark');
});

// A slash goes to the filter of the page, as in many places.
addEventListener('keydown', (event) => {
  if (event.key !== '/' || event.target.closest('input, select, textarea, dialog')) return;
  const filter = document.querySelector('input[type=search]');
  if (filter) {
    event.preventDefault();
    filter.focus();
  }
});
addEventListener('hashchange', route);
document.querySelector('.skip').addEventListener('click', (event) => {
  event.preventDefault();
  main.focus();
});

// Asked first: without a session nothing else is worth asking for.
async function begin() {
  try {
    await call('/v1/cluster');
  } catch (error) {
    if (error.status !== 401) setTimeout(begin, 2000);
    return;
  }
  attr(live, 'data-state', 'live');
  say(live, 'live');
  signOut.hidden = false;
  route();
}
begin();
