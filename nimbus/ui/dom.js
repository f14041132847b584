// Elements. Text becomes text, never markup: nothing here (or anywhere on the page) parses HTML.

const SVG = 'http://www.w3.org/2000/svg';

function fill(element, props, children) {
  for (const [key, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else if (key === 'class') element.setAttribute('class', value);
    else if (key === 'value') element.value = value;
    else if (key === 'checked') element.checked = value;
    else if (key === 'href' && !/^[#/]/.test(value)) throw new Error(`a link must stay here: ${value}`);
    else element.setAttribute(key, value === true ? '' : value);
  }
  add(element, children);
  return element;
}

function add(element, children) {
  for (const child of children.flat()) {
    if (child === undefined || child === null || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
}

/** An HTML element: h('p', {class: 'x', onclick: f}, 'text', child). */
export const h = (tag, props, ...children) => fill(document.createElement(tag), props, children);

/** An SVG element. */
export const s = (tag, props, ...children) => fill(document.createElementNS(SVG, tag), props, children);

/** Puts these children in place of all others. */
export function put(element, ...children) {
  element.replaceChildren();
  add(element, children);
  return element;
}

/** Sets a text only where it changed, so that selections and screen readers are left alone. */
export function say(element, text) {
  text = String(text);
  if (element.textContent !== text) element.textContent = text;
  return element;
}

/** Sets or removes an attribute only where it changed. */
export function attr(element, name, value) {
  if (value === undefined || value === null || value === false) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
  return element;
}

/** A card with a title and whatever stands at its right. */
export function card(title, right, ...children) {
  const head = h('div', { class: 'head' }, h('h2', {}, title), h('span', { class: 'push' }), right);
  return h('section', { class: 'card', 'aria-label': title }, head, ...children);
}

/** Number tiles: tiles(['throughput', …]) with .set(name, value, note, tone). */
export function tiles(labels) {
  const parts = new Map();
  const element = h('div', { class: 'tiles' }, labels.map((label) => {
    const value = h('span', { class: 'big' }, '–');
    const note = h('span', { class: 'note' });
    const tile = h('div', { class: 'tile' }, h('span', { class: 'label' }, label), value, note);
    parts.set(label, { tile, value, note });
    return tile;
  }));
  const set = (label, value, note = '', tone = '') => {
    const part = parts.get(label);
    say(part.value, value);
    say(part.note, note);
    attr(part.tile, 'data-tone', tone || null);
  };
  return { element, set };
}

/** A thin bar for a share of 0 to 1, with the number beside it. */
export function meter(share, text, tone) {
  const width = Math.max(0, Math.min(1, share || 0)) * 100;
  const bar = s('svg', { class: 'meter', viewBox: '0 0 100 8', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    s('rect', { class: 'track', width: 100, height: 8, rx: 2 }),
    s('rect', { class: `fill ${tone ?? load(share)}`, width, height: 8, rx: 2 }));
  return h('span', { class: 'metered' }, bar, h('span', {}, text));
}

/** The word for how loaded something is, by which it is coloured. */
export const load = (share) => (share >= 0.9 ? 'full' : share >= 0.7 ? 'high' : 'fine');
