// Talking to nimbus: calls, and events that come by themselves. The browser holds a cookie that scripts cannot read.

/** A refusal, with what nimbus says about it. */
export class Refused extends Error {
  constructor(status, problem) {
    super([problem.error, problem.remedy].filter(Boolean).join('; '));
    this.status = status;
    this.details = problem.details ?? [];
  }
}

/** Nothing was answered: nimbus is away, or the way to it is cut. */
export class Unreachable extends Error {
  constructor() {
    super('nimbus cannot be reached');
  }
}

/** While nimbus is away it is asked so often whether it is back, and given so long to answer. */
const PROBE_MS = 1000;
const PATIENCE_MS = 5000;

const listeners = { lost: [], back: [], locked: [] };
/** The streams of events that are to be open while the page is seen. */
const streams = new Set();
let gone = false;

/** Calls f when the connection is lost or back, or when the token is needed. */
export const on = (event, f) => listeners[event].push(f);
const tell = (event, ...args) => listeners[event].forEach((f) => f(...args));

function reached(yes) {
  if (gone === !yes) return;
  gone = !yes;
  tell(yes ? 'back' : 'lost');
  if (gone) setTimeout(probe, PROBE_MS);
  else streams.forEach((s) => s.reopen());
}

/** Asks until there is an answer, whatever it is. */
async function probe() {
  if (!document.hidden) await call('/v1/cluster', { signal: AbortSignal.timeout(PATIENCE_MS) }).catch(() => {});
  if (gone) setTimeout(probe, PROBE_MS);
}

/** Waits until the page is seen and nimbus answers. */
export async function ready() {
  while (gone || document.hidden) await new Promise((resolve) => { setTimeout(resolve, 500); });
}

/** Calls f every so many ms while the page is seen, and at once when it is seen again; gives back what ends that. */
export function every(ms, f) {
  const timer = setInterval(() => document.hidden || f(), ms);
  const seen = () => document.hidden || f();
  document.addEventListener('visibilitychange', seen);
  return () => {
    clearInterval(timer);
    document.removeEventListener('visibilitychange', seen);
  };
}

// Browsers open six connections to a host at most, for all tabs: those that nobody sees leave theirs to the others.
document.addEventListener('visibilitychange', () => streams.forEach((s) => (document.hidden ? s.pause() : s.reopen())));

/** Calls nimbus; answers with what it says, or throws Refused, or Unreachable. */
export async function call(path, { method = 'GET', body, signal } = {}) {
  let response;
  try {
    response = await fetch(path, {
      method,
      signal,
      headers: body === undefined ? {} : { 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    reached(false);
    throw new Unreachable();
  }
  reached(true);
  const text = await response.text();
  const answer = text ? parse(text) : null;
  if (response.ok) return answer;
  if (response.status === 401 && path !== '/v1/page/session') tell('locked');
  throw new Refused(response.status, answer ?? { error: `${path} answered ${response.status}` });
}

/** Sends a file's bytes; told(share) hears how much of it has arrived. */
export function upload(path, file, told, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', path);
    request.upload.onprogress = (event) => told(event.loaded / Math.max(1, event.total));
    request.onload = () => {
      const answer = parse(request.responseText);
      if (request.status === 401) tell('locked');
      if (request.status < 300) resolve(answer);
      else reject(new Refused(request.status, answer));
    };
    request.onerror = request.onabort = () => reject(new Error('the upload broke off'));
    signal.addEventListener('abort', () => request.abort());
    request.send(file);
  });
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return { error: text };
  }
}

/**
 * Listens to a stream of events until it is closed: {name: f(data)}. After a lost connection it tries again by itself, and so it does
 * when the page was hidden meanwhile; opened() is called before each time. `gone` means that there is nothing more to hear, refused()
 * that there is nothing to hear at all. A `quiet` stream may be silent for long.
 */
export function listen(path, { quiet = false, refused, opened, ...handlers }) {
  let source = null;
  let timer;
  let heard = Date.now();

  function open() {
    pause();
    if (document.hidden || !streams.has(stream)) return;
    opened?.();
    heard = Date.now();
    const mine = new EventSource(path);
    source = mine;
    mine.onopen = () => reached(true);
    mine.onerror = async () => {
      if (source !== mine) return;
      if (mine.readyState !== EventSource.CLOSED) {
        // Lost. It is opened again when nimbus answers.
        mine.close();
        return void reached(false);
      }
      // Refused: a call tells why.
      try {
        await call('/v1/cluster');
        if (source === mine && refused) return void refused();
      } catch (error) {
        if (error instanceof Refused) return;
      }
      if (source === mine) timer = setTimeout(open, 1000);
    };
    for (const [name, f] of Object.entries(handlers)) {
      mine.addEventListener(name, (event) => {
        if (source !== mine) return;
        heard = Date.now();
        reached(true);
        if (name === 'gone') close();
        f(JSON.parse(event.data));
      });
    }
  }

  function pause() {
    clearTimeout(timer);
    source?.close();
    source = null;
  }

  // A machine that vanished closes no connection.
  const watch = quiet ? 0 : setInterval(() => {
    if (source?.readyState === EventSource.OPEN && Date.now() - heard > 8000) {
      reached(false);
      open();
    }
  }, 2000);
  const stream = { pause, reopen: () => source?.readyState === EventSource.OPEN || open() };
  const close = () => {
    streams.delete(stream);
    clearInterval(watch);
    pause();
  };
  streams.add(stream);
  open();
  return close;
}

/** A path with its parts encoded: path`/v1/topologies/${name}`. */
export const path = (strings, ...values) =>
  strings.reduce((all, text, i) => all + encodeURIComponent(values[i - 1]) + text);
