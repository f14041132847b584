// Tables that are updated in place: rows keep their elements, so that a table of thousands stays quick and selections stay.

import { attr, h, say } from './dom.js';

const FIRST = 100;

/**
 * A table: columns are {name, title, num, sort(row), show(row)}; show gives a text or an element. key(row) tells rows apart.
 * On a phone the cells of a row of a table that `stacks` stand below each other, the last first.
 */
export function table({ label, columns, key, empty = 'Nothing here.', order, filter = false, stacks = false, max = FIRST }) {
  let rows = [];
  let by = order ?? { name: null, down: false };
  let most = max;
  let wanted = '';
  const known = new Map();
  const body = h('tbody');
  const heads = columns.map((c) => {
    const sorts = c.sort ? h('button', { type: 'button', class: 'sort', onclick: () => turn(c) }, c.name) : c.name;
    return h('th', { scope: 'col', class: c.num ? 'num' : '', title: c.title }, sorts);
  });
  const more = h('button', { type: 'button', class: 'plain more', onclick: () => { most = Infinity; draw(); } });
  const nothing = h('p', { class: 'none' }, empty);
  const search = filter && h('input', {
    type: 'search', class: 'filter', placeholder: 'Filter', 'aria-label': `Filter: ${label}`,
    oninput: (event) => { wanted = event.target.value.trim().toLowerCase(); draw(); },
  });
  const element = h('div', { class: stacks ? 'tabled stacks' : 'tabled' },
    h('table', { 'aria-label': label }, h('thead', {}, h('tr', {}, heads)), body), nothing, more);

  function turn(column) {
    by = { name: column.name, down: by.name === column.name ? !by.down : !!column.num };
    draw();
  }

  function sorted() {
    const column = columns.find((c) => c.name === by.name);
    let list = wanted ? rows.filter((r) => JSON.stringify(r).toLowerCase().includes(wanted)) : rows;
    if (column) {
      list = [...list].sort((a, b) => {
        const [x, y] = [column.sort(a), column.sort(b)];
        const way = typeof x === 'string' ? x.localeCompare(y, 'en', { numeric: true }) : x - y;
        return by.down ? -way : way;
      });
    }
    return list;
  }

  function draw() {
    heads.forEach((head, i) => attr(head, 'aria-sort', columns[i].name === by.name ? (by.down ? 'descending' : 'ascending') : null));
    const list = sorted();
    const shown = list.slice(0, most);
    const keep = new Set();
    let before = null;
    for (const row of shown) {
      const id = String(key(row));
      keep.add(id);
      let line = known.get(id);
      if (!line) {
        line = { tr: h('tr'), cells: [], shown: [] };
        line.cells = columns.map((c) => h(c.head ? 'th' : 'td', { class: c.num ? 'num' : c.class ?? '', scope: c.head ? 'row' : null, 'data-label': c.name }));
        line.tr.append(...line.cells);
        known.set(id, line);
      }
      columns.forEach((c, i) => {
        // Elements are made anew only when what they show has changed.
        const mark = c.mark ? c.mark(row) : undefined;
        if (mark !== undefined && line.shown[i] === mark) return;
        const what = c.show(row);
        if (what instanceof Node) line.cells[i].replaceChildren(what);
        else say(line.cells[i], what);
        line.shown[i] = mark;
      });
      const place = before ? before.nextSibling : body.firstChild;
      if (place !== line.tr) body.insertBefore(line.tr, place);
      before = line.tr;
    }
    for (const [id, line] of known) {
      if (!keep.has(id)) {
        line.tr.remove();
        known.delete(id);
      }
    }
    nothing.hidden = list.length > 0;
    element.firstChild.hidden = list.length === 0;
    more.hidden = list.length <= shown.length;
    say(more, `Show all ${list.length}`);
  }

  const update = (next) => {
    rows = next;
    draw();
  };
  return { element, update, search };
}
