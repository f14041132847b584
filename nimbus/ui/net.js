// Talking to nimbus: calls, and events that come by themselves. The browser holds a cookie that scripts cannot read.

/** A refusal, with what nimbus says about it. */
export class Refused extends Error {
  constructor(status, problem) {
    super([problem.error, problem.remedy].filter(Boolean).join('; '));
    this.status = status;
    this.details = problem.details ?? [];
  }
}

const listeners = { lost: [], back: [], locked: [] };
let gone = false;

/** Calls f when the connection is lost or back, or when the token is needed. */
export const on = (event, f) => listeners[event].push(f);
const tell = (event, ...args) => listeners[event].forEach((f) => f(...args));

function reached(yes) {
  if (gone === !yes) return;
  gone = !yes;
  tell(yes ? 'back' : 'lost');
}

/** Calls nimbus; answers with what it says, or throws Refused. */
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
    if (error.name !== 'AbortError') reached(false);
    throw error;
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
 * Listens to a stream of events until it is closed: {name: f(data)}. After a lost connection it tries again by itself;
 * `gone` means that there is nothing more to hear.
 */
export function listen(path, handlers) {
  let source;
  let timer;
  let closed = false;
  let heard = Date.now();
  const open = () => {
    if (closed) return;
    source = new EventSource(path);
    source.onopen = () => reached(true);
    source.onerror = async () => {
      if (closed) return;
      reached(false);
      if (source.readyState !== EventSource.CLOSED) return;
      // Refused, not lost: a call tells why.
      source.close();
      try {
        await call('/v1/cluster');
        if (handlers.refused) return handlers.refused();
      } catch (error) {
        if (error instanceof Refused) return undefined;
      }
      timer = setTimeout(open, 1000);
      return undefined;
    };
    for (const [name, f] of Object.entries(handlers)) {
      if (name === 'refused') continue;
      source.addEventListener(name, (event) => {
        heard = Date.now();
        reached(true);
        if (name === 'gone') close();
        f(JSON.parse(event.data));
      });
    }
  };
  // A machine that vanished closes no connection.
  const watch = handlers.quiet ? 0 : setInterval(() => {
    if (source && source.readyState === EventSource.OPEN && Date.now() - heard > 8000 && !document.hidden) {
      reached(false);
      source.close();
      heard = Date.now();
      open();
    }
  }, 2000);
  const close = () => {
    closed = true;
    clearTimeout(timer);
    clearInterval(watch);
    source?.close();
  };
  delete handlers.quiet;
  open();
  return close;
}

/** A path with its parts encoded: path`/v1/topologies/${name}`. */
export const path = (strings, ...values) =>
  strings.reduce((all, text, i) => all + encodeURIComponent(values[i - 1]) + text);
