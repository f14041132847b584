// Talking to nimbus: calls, and events that come by themselves. The browser holds a cookie that scripts cannot read.

/** A refusal, with what nimbus says about it. */
export class Refused extends Error {
  constructor(status, problem) {
    super([problem.error, problem.remedy].filter(Boolean).join('; '));
    this.status = status;
    this.details = problem.details ?? [];
  }
}

/** Nothing was answered: nimbus is away, or the way to it is cut. What was to be `done` may be done or not. */
export class Unreachable extends Error {
  constructor(done = false) {
    super(done ? 'nimbus did not answer: see whether it was done when it is back' : 'nimbus cannot be reached');
  }
}

/** A file was not taken in: so many of its bytes had been sent, and nimbus is there now or not. */
export class BrokenOff extends Error {
  constructor(sent, there) {
    super('the upload broke off');
    this.sent = sent;
    this.there = there;
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

// Browsers open six connections to a host at most, for all tabs and windows. Those that nobody sees leave theirs to the others; those
// that are seen keep no more than this, take turns where there are more, and so leave some for calls.
const PLACES = 4;
/** A turn ends after so long if somebody waits: of a log, which is read anew each time, later. */
const TURN_MS = 3000;
const QUIET_TURN_MS = 15000;

const take = (name, options) => new Promise((resolve, reject) => {
  navigator.locks.request(name, options, (lock) => (lock ? new Promise((leave) => resolve({ name, leave })) : resolve(null))).catch(reject);
});

/** Waits for a place; gives back {name, leave}, or nothing when the signal was aborted. */
async function place(signal) {
  if (!navigator.locks) return { leave() {} };
  for (let n = 0; n < PLACES; n += 1) {
    const free = await take(`stream ${n}`, { ifAvailable: true });
    if (free) return free;
  }
  return take(`stream ${Math.floor(Math.random() * PLACES)}`, { signal }).catch(() => null);
}

/** Whether somebody waits for this place. */
const wanted = async ({ name }) => name && (await navigator.locks.query()).pending.some((other) => other.name === name);

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
    throw new Unreachable(method !== 'GET');
  }
  reached(true);
  const text = await response.text();
  const answer = text ? parse(text) : null;
  if (response.ok) return answer;
  if (response.status === 401 && path !== '/v1/page/session') tell('locked');
  throw new Refused(response.status, answer ?? { error: `${path} answered ${response.status}` });
}

/** Sends a file's bytes; told(share) hears how much of it has been sent. Throws Refused or BrokenOff. */
export function upload(path, file, told, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    let sent = 0;
    request.open('POST', path);
    request.upload.onprogress = (event) => {
      sent = event.loaded;
      told(event.loaded / Math.max(1, event.total));
    };
    request.onload = () => {
      const answer = parse(request.responseText);
      if (request.status === 401) tell('locked');
      if (request.status < 300) resolve(answer);
      else reject(new Refused(request.status, answer));
    };
    // An end in between says nothing of its cause; a call does, and whether it is worth while to try again.
    request.onerror = () => call('/v1/cluster').then(() => reject(new BrokenOff(sent, true)), () => reject(new BrokenOff(sent, false)));
    request.onabort = () => reject(new BrokenOff(sent, true));
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
  let turn;
  let held = null;
  let asking = null;
  let heard = Date.now();

  async function open() {
    pause();
    if (document.hidden || !streams.has(stream)) return;
    const asked = new AbortController();
    asking = asked;
    const got = await place(asked.signal);
    if (asked.signal.aborted || !got) return void got?.leave();
    held = got;
    opened?.();
    heard = Date.now();
    const mine = new EventSource(path);
    source = mine;
    let fed = quiet;
    turn = setInterval(async () => {
      if (fed && (await wanted(got)) && source === mine) open();
    }, quiet ? QUIET_TURN_MS : TURN_MS);
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
        fed = true;
        reached(true);
        if (name === 'gone') close();
        f(JSON.parse(event.data));
      });
    }
  }

  function pause() {
    clearTimeout(timer);
    clearInterval(turn);
    asking?.abort();
    source?.close();
    held?.leave();
    source = held = asking = null;
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
