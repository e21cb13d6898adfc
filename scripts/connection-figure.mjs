/**
 * The figure of the connection's states, docs/images/connection.svg, drawn from the table of packages/client/src/
 * connection-machine.ts: the model (connection-model.testing.ts) walks every interleaving of nine events, and what it saw lead
 * from one state to another is an arrow. Here stands only where things are drawn. `--check` changes nothing and fails if the
 * file differs from what the table does.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadFromClient } from './connection-model.mjs';
import { conclude, isMain, root } from './workspace.mjs';

const DEPTH = 9;
const FILE = 'docs/images/connection.svg';
const WIDTH = 132;
const HEIGHT = 40;

/** Left upper corners. */
const PLACES = {
  idle: [24, 90],
  paused: [24, 200],
  authorizing: [224, 90],
  opening: [224, 200],
  greeting: [224, 310],
  open: [484, 90],
  probing: [484, 310],
  suspect: [784, 310],
  leaving: [784, 90],
  waiting: [544, 452],
  offline: [764, 452],
  closed: [24, 452],
};

/** Frames around states that have something in common: left, top, width, height. */
const GROUPS = {
  'an attempt': { states: ['authorizing', 'opening', 'greeting'], frame: [204, 50, 172, 320] },
  'a connection': { states: ['open', 'probing', 'suspect', 'leaving'], frame: [464, 50, 472, 320] },
  'a wait': { states: ['waiting', 'offline'], frame: [524, 418, 392, 92] },
};

/** Where an arrow bends, and where its label stands: both from the middle of the straight one. */
const BENDS = {
  'open>probing': { bend: [-14, 0], label: [0, -54] },
  'probing>open': { bend: [14, 0], label: [30, 34] },
  'probing>suspect': { bend: [0, -9], label: [0, -14] },
  'suspect>probing': { bend: [0, 9], label: [0, 26] },
  'leaving>probing': { bend: [-16, -14], label: [-44, -4] },
  'probing>leaving': { bend: [16, 14], label: [-60, 68] },
  'suspect>open': { bend: [0, 0], label: [84, 54] },
  'suspect>leaving': { label: [24, 4] },
  'open>leaving': { label: [0, -6] },
  'greeting>open': { label: [-22, 14] },
  'greeting>leaving': { bend: [10, 12], label: [-96, 50] },
  'leaving>authorizing': { bend: [0, -42], label: [0, -48] },
  'a connection>a wait': { label: [46, 66] },
  'an attempt>a wait': { bend: [-102, 70], label: [-146, 118] },
  'an attempt>closed': { bend: [16, 20], label: [30, 66] },
  'a connection>closed': { bend: [60, 96], label: [-10, 164] },
  'a wait>authorizing': { bend: [-46, 71], label: [-90, 92] },
  'closed>authorizing': { bend: [-16, -20], label: [-34, -20] },
  'waiting>offline': { bend: [0, -8], label: [0, -12] },
  'offline>waiting': { bend: [0, 8], label: [0, 22] },
};

/** What leads from where to where: `[from, to, events]`, states or names of groups. What all of a group do is said once. */
export function arrowsOf(edges) {
  const found = new Map();
  const groupOf = (state) => Object.entries(GROUPS).find(([, { states }]) => states.includes(state))?.[0];
  const drawn = edges.filter(({ from, to }) => from !== to && to !== 'ended' && to !== 'paused');
  const leads = (from, target) => drawn.some((edge) => edge.from === from && (edge.to === target || groupOf(edge.to) === target));
  for (const { from, event, to } of drawn) {
    const [inside, outside] = [groupOf(from), groupOf(to)];
    const isCommon = (target) => inside !== undefined && inside !== outside && GROUPS[inside].states.every((state) => leads(state, target));
    const end = outside !== undefined && isCommon(outside) && GROUPS[outside].states.every((state) => leads(from, state)) ? outside : to;
    const start = isCommon(end) ? inside : from;
    const key = `${start}>${end}`;
    found.set(key, (found.get(key) ?? new Set()).add(event));
  }
  return [...found].map(([key, events]) => [...key.split('>'), [...events].toSorted()]).toSorted((a, b) => (a.join() < b.join() ? -1 : 1));
}

/** The states from which an event always leads to another one. */
function statesWith(edges, event, target) {
  return edges.filter((edge) => edge.event === event && edge.to === target).map(({ from }) => from);
}

export function figureOf(edges) {
  const arrows = arrowsOf(edges);
  const strange = Object.keys(BENDS).filter((key) => !arrows.some(([from, to]) => key === `${from}>${to}`));
  if (strange.length > 0) throw new Error(`no arrow ${strange.join(', ')} to bend`);
  const closers = statesWith(edges, 'close', 'ended');
  const pausers = statesWith(edges, 'pause', 'paused');
  const others = (states) => Object.keys(PLACES).filter((state) => !states.includes(state));
  const except = (states) => (others(states).length === 0 ? 'every state' : `every state but ${others(states).join(', ')}`);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 960 570" font-family="system-ui, sans-serif" font-size="14" fill="#1b2430">
  <style>.box{fill:#fff;stroke:#3b5b8c;stroke-width:1.5}.zone{fill:#f3f6fb;stroke:#c3cfe2}.t{font-weight:600;text-anchor:middle}.s{fill:#55637a;font-size:12px}.a{stroke:#3b5b8c;stroke-width:1.4;fill:none;marker-end:url(#m)}.u{fill:#3b5b8c;font-size:12px;text-anchor:middle;paint-order:stroke;stroke:#fff;stroke-width:3px}</style>
  <defs><marker id="m" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0 8 4 0 8z" fill="#3b5b8c"/></marker></defs>
  <rect width="960" height="570" fill="#fff"/>
${Object.entries(GROUPS)
  .map(([name, { frame }]) => zone(name, frame))
  .join('\n')}
${arrows.map(arrow).join('\n')}
${Object.entries(PLACES)
  .map(([name, place]) => box(name, place))
  .join('\n')}
${arrows.map(label).join('\n')}
  <text x="24" y="536" class="s">close() leads to ended, for good, from ${except(closers)}; pause() to paused, from ${except(pausers)}.</text>
  <text x="24" y="554" class="s">An arrow at a frame counts for every state in it. Events that lead nowhere else are not drawn.</text>
</svg>
`;
}

function zone(name, [x, y, width, height]) {
  return `  <rect class="zone" x="${x}" y="${y}" width="${width}" height="${height}" rx="10"/><text x="${x + 10}" y="${y + 18}" class="s">${name}</text>`;
}

function box(name, [x, y]) {
  return `  <rect class="box" x="${x}" y="${y}" width="${WIDTH}" height="${HEIGHT}" rx="6"/><text x="${x + WIDTH / 2}" y="${y + 25}" class="t">${name}</text>`;
}

function rectOf(name) {
  if (name in GROUPS) return GROUPS[name].frame;
  return [...PLACES[name], WIDTH, HEIGHT];
}

/** The ends of an arrow on the borders of what it joins, and its bend. */
function lineOf([from, to]) {
  const [a, b] = [rectOf(from), rectOf(to)];
  const middle = ([x, y, width, height]) => [x + width / 2, y + height / 2];
  const [start, end] = [middle(a), middle(b)];
  const { bend = [0, 0], label: shift = [0, -4] } = BENDS[`${from}>${to}`] ?? {};
  const centre = [(start[0] + end[0]) / 2, (start[1] + end[1]) / 2];
  const control = [centre[0] + 2 * bend[0], centre[1] + 2 * bend[1]];
  return { start: border(a, start, control), end: border(b, end, control), control, at: [centre[0] + shift[0], centre[1] + shift[1]] };
}

/** Where the line from the middle of a rectangle towards a point leaves it. */
function border([, , width, height], [x, y], [towardsX, towardsY]) {
  const [dx, dy] = [towardsX - x, towardsY - y];
  const scale = Math.min(dx === 0 ? Infinity : width / 2 / Math.abs(dx), dy === 0 ? Infinity : height / 2 / Math.abs(dy));
  return [x + dx * scale, y + dy * scale];
}

function arrow(one) {
  const { start, end, control } = lineOf(one);
  return `  <path class="a" d="M${rounded(start)}Q${rounded(control)} ${rounded(end)}"/>`;
}

function label(one) {
  const [x, y] = lineOf(one).at.map(Math.round);
  return `  <text x="${x}" y="${y}" class="u">${one[2].join(', ')}</text>`;
}

function rounded(point) {
  return point.map(Math.round).join(' ');
}

async function main() {
  const { explore } = await loadFromClient('connection-model.testing.ts');
  const { edges } = explore(DEPTH);
  const figure = figureOf(edges);
  const path = join(root, FILE);
  if (!process.argv.includes('--check')) writeFileSync(path, figure);
  else if (readFileSync(path, 'utf8') !== figure) {
    return conclude([`${FILE} is not what the table of the connection does: node scripts/connection-figure.mjs`], '');
  }
  return conclude([], `${FILE}: ${edges.length} transitions, ${arrowsOf(edges).length} arrows`);
}

if (isMain(import.meta)) await main();
