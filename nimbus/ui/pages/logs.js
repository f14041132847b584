// Logs of all workers of a topology, or of the daemons, on whatever machine: followed, filtered, searched, downloaded.

import { attr, card, h, put, say } from '../dom.js';
import { bytes, many, moment } from '../format.js';
import { call, every, listen, path } from '../net.js';
import { title, topologyLink } from './parts.js';

/** So many lines are kept on the page. */
const MOST = 2000;
/** So many of those that come are shown at once, and so long it is waited before the next: nobody reads more. */
const AT_ONCE = 200;
const PAUSE_MS = 250;
const LEVELS = { error: 'errors only', warn: 'warn and worse', info: 'info and worse', debug: 'debug and worse', trace: 'all levels' };

export async function show(main, name) {
  if (name === undefined) return choose(main);
  const base = path`/v1/topologies/${name}/logs`;
  const at = (f, stream) => `${base}/${f.worker}/download?supervisor=${encodeURIComponent(f.supervisor)}&stream=${stream}`;
  return view(main, {
    base,
    trail: [topologyLink(name), ' / '],
    one: { key: 'worker', label: 'Worker', all: 'all workers' },
    streams: true,
    files: await call(base),
    called: (f) => `worker ${f.worker} on ${f.host}`,
    links: (f) => [[at(f, 'log'), `log, ${bytes(f.bytes)}`], [at(f, 'out'), `output, ${bytes(f.output_bytes)}`]],
  });
}

/** What nimbus and the supervisors logged themselves. */
export async function daemons(main) {
  const base = '/v1/logs';
  return view(main, {
    base,
    trail: [h('a', { href: '#/logs' }, 'Logs'), ' / '],
    heading: 'Daemons',
    one: { key: 'daemon', label: 'Daemon', all: 'all daemons' },
    streams: false,
    files: await call(base),
    called: (f) => (f.daemon === 'nimbus' ? 'nimbus' : `supervisor ${f.daemon.slice(0, 8)} on ${f.host}`),
    links: (f) => [[`${base}/${f.daemon}/download`, `log, ${bytes(f.bytes)}`]],
  });
}

/** Lines of many logs, or of `one` of them; `files` are `called` so, each with `links` to what can be downloaded. */
function view(main, { base, trail, heading = 'Logs', one, streams, files, called, links }) {
  const asked = new URLSearchParams(location.hash.split('?')[1] ?? '');
  const lines = h('div', { class: 'lines', role: 'log', 'aria-live': 'off', tabindex: 0, 'aria-label': 'Log lines' });
  const text = h('input', { type: 'search', placeholder: 'Text to look for', 'aria-label': 'Text to look for', value: asked.get('text') ?? '' });
  const level = h('select', { 'aria-label': 'Least level' }, Object.entries(LEVELS).map(([l, shown]) => h('option', { value: l }, shown)));
  level.value = asked.get('level') ?? 'trace';
  const only = h('select', { 'aria-label': one.label }, h('option', { value: '' }, one.all));
  const list = downloads(called, links);
  list.update(files);
  const offered = new Set();
  const offer = (all) => all.filter((f) => !offered.has(String(f[one.key]))).forEach((f) => {
    offered.add(String(f[one.key]));
    only.append(h('option', { value: f[one.key] }, called(f)));
  });
  offer(files);
  only.value = asked.get(one.key) ?? '';
  const stream = h('select', { 'aria-label': 'What' }, h('option', { value: 'log' }, 'log'), h('option', { value: 'out' }, 'stdout and stderr'));
  const follow = h('button', { type: 'button', class: 'main', 'aria-pressed': 'true' }, 'Following');
  const search = h('button', { type: 'button', class: 'plain' }, 'Search all files');
  const state = h('span', { class: 'dim', role: 'status' });
  const form = h('form', { class: 'controls' }, text, level, only, streams && stream, search, follow, state);
  let close = null;
  let stuck = true;
  let waiting = [];
  let left = 0;
  let timer = 0;
  let drawn = 0;

  lines.addEventListener('scroll', () => { stuck = lines.scrollHeight - lines.scrollTop - lines.clientHeight < 40; });

  function query(more = {}) {
    const q = new URLSearchParams({ level: level.value, ...more });
    if (streams) q.set('stream', stream.value);
    if (text.value) q.set('text', text.value);
    if (only.value !== '') q.set(one.key, only.value);
    return q.toString();
  }

  /** Shows lines soon; of many that come together the newest. */
  function append(list) {
    waiting = waiting.concat(list);
    left += Math.max(0, waiting.length - AT_ONCE);
    waiting = waiting.slice(-AT_ONCE);
    timer ||= setTimeout(() => requestAnimationFrame(draw), Math.max(0, PAUSE_MS - (Date.now() - drawn)));
  }

  function draw() {
    timer = 0;
    drawn = Date.now();
    if (left) lines.append(h('div', { class: 'row left', title: 'They come faster than they can be read; they are in the files.' }, `… ${many(left, 'line')} left out`));
    lines.append(...waiting.map((l) => row(l)));
    [waiting, left] = [[], 0];
    for (let n = lines.childElementCount - MOST; n > 0; n -= 1) lines.firstChild.remove();
    if (stuck) lines.scrollTop = lines.scrollHeight;
  }

  function clear() {
    [waiting, left] = [[], 0];
    put(lines);
  }

  function start() {
    close?.();
    stuck = true;
    attr(follow, 'aria-pressed', 'true');
    say(follow, 'Following');
    say(state, 'waiting for lines');
    close = listen(`${base}/follow?${query({ tail: AT_ONCE })}`, {
      quiet: true,
      opened: clear,
      lines(list) {
        say(state, '');
        append(list);
      },
      trouble(problem) {
        say(state, problem.error);
      },
      gone() {
        say(state, 'the topology is gone');
      },
      refused() {
        say(state, 'the topology is gone');
      },
    });
  }

  function stop() {
    close?.();
    close = null;
    attr(follow, 'aria-pressed', 'false');
    say(follow, 'Follow');
    say(state, '');
  }

  async function find() {
    stop();
    say(state, 'searching …');
    try {
      const found = await call(`${base}/search?${query({ limit: 1000 })}`);
      clear();
      stuck = false;
      lines.append(...found.lines.map((l) => row(l)));
      lines.scrollTop = 0;
      const cut = found.complete ? '' : ', the newest of more';
      const silent = found.silent.length ? `; no answer from ${many(found.silent.length, 'machine')}` : '';
      say(state, `${many(found.lines.length, 'line')}${cut} in ${bytes(found.bytes)}${silent}`);
    } catch (error) {
      say(state, error.message);
    }
  }

  follow.addEventListener('click', () => (close ? stop() : start()));
  search.addEventListener('click', find);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (close) start();
    else find();
  });
  for (const select of [level, only, stream]) select.addEventListener('change', () => (close ? start() : find()));

  put(main, title(h('span', { class: 'trail' }, trail), h('h1', {}, heading)), h('section', { class: 'card' }, form, lines), card('Files', null, list.element));
  start();
  // Files grow, and workers come.
  const end = every(5000, () => call(base).then((all) => { list.update(all); offer(all); }, () => {}));
  return () => {
    close?.();
    end();
  };
}

/** A list of files with links to download them, updated in place. */
function downloads(called, links) {
  const lines = new Map();
  const none = h('p', { class: 'none' }, 'No logs yet.');
  const list = h('ul', { class: 'plainlist' });
  function update(files) {
    none.hidden = files.length > 0;
    const now = new Map(files.map((f) => [links(f)[0][0], f]));
    for (const [key, f] of now) {
      if (!lines.has(key)) lines.set(key, h('li', {}, `${called(f)}: `, links(f).flatMap(([href], i) => [i ? ', ' : '', h('a', { href, download: true })])));
      const line = lines.get(key);
      links(f).forEach(([, text], i) => say(line.querySelectorAll('a')[i], text));
      if (!line.parentNode) list.append(line);
    }
    for (const [key, line] of lines) if (!now.has(key)) { line.remove(); lines.delete(key); }
  }
  return { element: h('div', {}, none, list), update };
}

/** `[2026-01-02T03:04:05.678Z INFO  target] message`, or anything else. */
const SHAPE = /^\[(\S+) (ERROR|WARN|INFO|DEBUG|TRACE)\s+([^\]]*)\] ?(.*)$/s;

function row(line) {
  const parts = SHAPE.exec(line.text);
  const who = h('span', { class: 'who', title: source(line) }, mark(line));
  if (!parts) return h('div', { class: 'row' }, who, h('span', { class: 'message' }, line.text));
  const [, time, level, target, message] = parts;
  return h('div', { class: 'row', 'data-level': level.toLowerCase() }, who, when(time), h('span', { class: 'level' }, level), h('span', { class: 'target' }, target), h('span', { class: 'message' }, message));
}

/** A time as it is here; pointed at, as it is in the file. */
const when = (utc) => h('time', { title: utc }, Number.isNaN(Date.parse(utc)) ? utc : moment(Date.parse(utc)));

/** Who wrote a line, in short and in full. */
const mark = (line) => (line.worker !== undefined ? `w${line.worker}` : line.supervisor.slice(0, 6) || 'nimbus');
const source = (line) => (line.worker !== undefined ? `worker ${line.worker} on ${line.host}` : line.supervisor ? `supervisor ${line.supervisor} on ${line.host}` : 'nimbus');

async function choose(main) {
  const topologies = await call('/v1/topologies');
  const list = topologies.map((t) => h('li', {}, h('a', { href: `#/t/${encodeURIComponent(t.name)}/logs` }, t.name)));
  put(main, title(h('h1', {}, 'Logs')), card('Topologies', null, list.length ? h('ul', { class: 'plainlist' }, list) : h('p', { class: 'none' }, 'No topology runs.')),
    card('Daemons', null, h('ul', { class: 'plainlist' }, h('li', {}, h('a', { href: '#/logs/daemons' }, 'nimbus and supervisors')))));
}
