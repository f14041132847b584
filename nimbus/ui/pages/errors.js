// Errors of a topology or of one of its components, each with what stands behind it.

import { h } from '../dom.js';
import { clock, count, many } from '../format.js';
import { table } from '../table.js';
import { componentLink } from './parts.js';

/** A table of a topology's errors, or of those of a component. */
export function errorTable(name, component) {
  const whose = { name: 'Component', sort: (e) => e.component, mark: (e) => e.component, show: (e) => (e.component ? componentLink(name, e.component) : 'nimbus') };
  const list = table({
    label: 'Errors', key: (e) => `${e.component}/${e.task}/${e.message}`, filter: true, stacks: true, empty: 'No errors.',
    columns: [
      { name: 'Time', sort: (e) => e.unix_ms, show: (e) => clock(e.unix_ms) },
      ...(component === undefined ? [whose] : []),
      { name: 'Where', show: (e) => (e.component ? `task ${e.task}, worker ${e.worker}, ${e.host}` : '') },
      { name: 'Times', num: true, sort: (e) => e.count, show: (e) => count(e.count) },
      { name: 'Error', mark: (e) => `${e.message}${e.stack}`, show: (e) => h('div', {}, h('pre', { class: 'error' }, e.message), behind(e)) },
    ],
  });
  return { ...list, update: (errors) => list.update(errors.filter((e) => component === undefined || e.component === component)) };
}

/** What stands behind an error's message: the calls that led to a panic, or the causes, a line each. */
function behind({ stack, panic }) {
  if (!stack) return null;
  const lines = stack.split('\n');
  const [head, ...calls] = lines;
  if (panic && !calls.length) return h('p', { class: 'note' }, head);
  const summary = panic ? `${head}, by ${many(calls.length, 'call')}` : many(lines.length, 'cause');
  return h('details', {}, h('summary', {}, summary), h('pre', { class: 'stack', tabindex: 0 }, (panic ? calls.map((c) => c.trim()) : lines).join('\n')));
}
