// The topology as a graph: nimbus has laid it out, here it is drawn and kept up to date.

import { attr, h, load, put, s, say } from './dom.js';
import { many, percent, rate } from './format.js';

const MARGIN = 14;
/** The smallest scale at which texts are read. */
const READABLE = 0.85;

/** Draws a graph; click(id) opens a component. update(components, edges, statuses) colours it. */
export function graph(data, click) {
  const [width, height] = [data.width + 2 * MARGIN, data.height + 2 * MARGIN];
  const lines = data.edges.map((e) => {
    const way = s('path', { class: 'edge', d: curve(e.points), 'marker-end': 'url(#arrow)' });
    const text = s('text', { class: 'flow', 'text-anchor': 'middle', ...middle(e.points) });
    const what = e.streams.map(([stream, grouping]) => `${stream} (${grouping})`).join(', ');
    const group = s('g', { class: 'link' }, s('title', {}, `${data.nodes[e.from].id} → ${data.nodes[e.to].id}: ${what}`), way, text);
    return { group, way, text };
  });
  const boxes = data.nodes.map((n) => {
    const fill = s('rect', { class: 'load', x: 0, y: n.height - 5, width: 0, height: 5 });
    const flow = s('text', { class: 'rate', x: 12, y: 48 });
    const held = s('text', { class: 'held', x: n.width - 10, y: 48, 'text-anchor': 'end' });
    const clip = `clip-${n.id}`;
    const group = s('a', {
      class: `node ${n.kind}`, href: `#node-${n.id}`, transform: `translate(${n.x + MARGIN} ${n.y + MARGIN})`, 'aria-label': `${n.kind} ${n.id}`,
      onclick: (event) => { event.preventDefault(); click(n.id); },
    },
    s('title', {}, `${n.id}: ${n.type}, ${many(n.tasks, 'task')}`),
    s('clipPath', { id: clip }, s('rect', { width: n.width, height: n.height, rx: 9 })),
    s('rect', { class: 'box', width: n.width, height: n.height, rx: 9 }),
    s('g', { 'clip-path': `url(#${clip})` }, s('rect', { class: 'rail', x: 0, y: n.height - 5, width: n.width, height: 5 }), fill),
    s('text', { class: 'name', x: 12, y: 20 }, cut(n.id, 21)),
    s('text', { class: 'type', x: 12, y: 34 }, cut(`${n.type} × ${n.tasks}`, 27)), flow, held);
    return { group, fill, flow, held, node: n };
  });
  const arrow = s('marker', { id: 'arrow', viewBox: '0 0 8 8', refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: 'auto', markerUnits: 'userSpaceOnUse' }, s('path', { class: 'tip-of-arrow', d: 'M0 0L8 4L0 8Z' }));
  const svg = s('svg', { class: 'graph', viewBox: `0 0 ${width} ${height}`, role: 'group', 'aria-label': 'Components and what flows between them' },
    s('defs', {}, arrow), s('g', { transform: `translate(${MARGIN} ${MARGIN})` }, lines.map((l) => l.group)), boxes.map((b) => b.group));
  let zoom = null;
  const size = () => {
    const room = frame.clientWidth || 900;
    const fit = Math.min(1.15, room / width);
    // A wide graph is scrolled rather than made unreadable.
    const scale = zoom ?? Math.max(READABLE, fit);
    svg.setAttribute('width', Math.round(width * scale));
    svg.setAttribute('height', Math.round(height * scale));
    return scale;
  };
  const step = (by) => { zoom = by === 0 ? null : Math.max(0.1, Math.min(2, (zoom ?? size()) * by)); size(); };
  const fit = () => { zoom = Math.min(1.15, (frame.clientWidth || 900) / width); size(); };
  const frame = h('div', { class: 'graphed', tabindex: 0, 'aria-label': 'Graph, scrolls' }, svg);
  const controls = h('span', { class: 'zoom' },
    h('button', { type: 'button', class: 'plain', title: 'Smaller', 'aria-label': 'Smaller', onclick: () => step(1 / 1.25) }, '−'),
    h('button', { type: 'button', class: 'plain', title: 'All of it', 'aria-label': 'All of it', onclick: fit }, 'fit'),
    h('button', { type: 'button', class: 'plain', title: 'Larger', 'aria-label': 'Larger', onclick: () => step(1.25) }, '+'));
  new ResizeObserver(size).observe(frame);

  function update(components, edges) {
    const most = Math.max(1, ...edges);
    lines.forEach((l, i) => {
      const flow = edges[i] ?? 0;
      say(l.text, flow > 0 ? `${rate(flow)}/s` : '');
      attr(l.way, 'stroke-width', (1.2 + 3.2 * Math.sqrt(flow / most)).toFixed(1));
      attr(l.group, 'data-idle', flow > 0 ? null : 'yes');
    });
    for (const b of boxes) {
      const c = components[b.node.id];
      const [capacity, blocked] = [c?.capacity ?? 0, c?.blocked ?? 0];
      attr(b.fill, 'width', (Math.min(1, capacity) * b.node.width).toFixed(1));
      attr(b.group, 'data-load', c ? load(capacity) : 'idle');
      attr(b.group, 'data-held', blocked >= 0.05 ? 'yes' : null);
      const perS = c ? ((b.node.kind === 'spout' ? c.emitted : c.executed) * 1000) / Math.max(1, c.ms) : 0;
      say(b.flow, `${rate(perS)}/s · ${percent(capacity)} busy`);
      say(b.held, blocked >= 0.05 ? `held up ${percent(blocked)}` : '');
      // Both do not fit beside each other.
      if (blocked >= 0.05) say(b.flow, `${rate(perS)}/s`);
    }
  }

  const legend = h('div', { class: 'legend' },
    h('span', { class: 'key fine' }, 'busy below 70 %'), h('span', { class: 'key high' }, 'below 90 %'), h('span', { class: 'key full' }, 'the bottleneck'),
    h('span', { class: 'key held' }, 'held up by those it feeds'));
  return { element: put(h('div'), frame, legend), controls, update };
}

const cut = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

/** Straight where the layout is straight, else a curve that leaves and arrives level. */
function curve(points) {
  if (!points.length) return '';
  let way = `M${points[0][0]} ${points[0][1]}`;
  for (let i = 1; i < points.length; i += 1) {
    const [[ax, ay], [bx, by]] = [points[i - 1], points[i]];
    if (ay === by) way += `L${bx} ${by}`;
    else {
      const half = (ax + bx) / 2;
      way += `C${half} ${ay} ${half} ${by} ${bx} ${by}`;
    }
  }
  return way;
}

function middle(points) {
  if (!points.length) return { x: 0, y: 0 };
  const [[ax, ay], [bx, by]] = [points[0], points[1] ?? points[0]];
  return { x: (ax + bx) / 2, y: (ay + by) / 2 - 7 };
}
