/**
 * A model of the world around the machine of a connection, and two ways through it: every interleaving of events to a depth
 * (equal situations are visited once), and random walks. After each step it is checked that what the machine asks for is
 * possible and that its promises hold; `liveness` then asks whether it can always come back and always end.
 *
 * The world: a token source that answers, fails or never does; sockets that open, fail, close or never answer; a platform
 * that hints at anything at any time; timers that fire in time, late, or after the clock was set; an application.
 */

import type { HoldfastError } from '@holdfast/wire';
import {
  INITIAL_STATE,
  step,
  TABLE,
  type Effect,
  type MachineEvent,
  type MachineState,
  type Rules,
  type StateName,
} from './connection-machine.ts';

/** What a problem says is nothing to the machine: the same object everywhere keeps equal situations equal. */
const PROBLEM = { code: 'CONNECTION_LOST' } as unknown as HoldfastError;

export const MODEL_RULES: Rules = {
  // So that the second wait shows the bounds apart: 5 s, and after a refusal 8 s.
  backoff: { baseMs: 8_000 },
  attemptsMax: 3,
  endpointCount: 2,
  refusalsMax: 2,
  attemptMs: 10_000,
};

/** Nothing in the model may be due later than this: two minutes of scouting, and what a server asks for. */
const FAR_MS = 130_000;
const QUIET_MS = 1_250;
const ANSWER_MS = 750;
const STABLE_MS = 2_000;
const NEVER = Number.POSITIVE_INFINITY;

/** A situation: the machine's state and the world's. */
export interface Situation {
  readonly machine: MachineState;
  readonly nowMs: number;
  readonly heardAtMs: number;
  readonly isTokenAsked: boolean;
  readonly socket: 'none' | 'opening' | 'open';
  readonly isScouting: boolean;
  readonly isGreeted: boolean;
  readonly isUp: boolean;
}

/** Something that can happen in a situation. `name` says how, in reports. */
export interface Happening {
  readonly name: string;
  readonly event: MachineEvent;
  readonly draw: number;
  /** The situation just before the machine hears of it. */
  readonly before: Situation;
}

export interface Edge {
  readonly from: StateName;
  readonly event: MachineEvent['type'];
  readonly to: StateName;
}

export const BEGINNING: Situation = {
  machine: { ...INITIAL_STATE, nowMs: 1_000_000 },
  nowMs: 1_000_000,
  heardAtMs: 0,
  isTokenAsked: false,
  socket: 'none',
  isScouting: false,
  isGreeted: false,
  isUp: false,
};

/** What broke, and the way there. */
export class ModelViolation extends Error {
  constructor(message: string, way: readonly string[]) {
    super(`${message}\n  after: ${way.join(', ')}`);
    this.name = 'ModelViolation';
  }
}

const ADVICES = ['resume', 'back-off', 'stop', 'reauthenticate'] as const;

/** Everything that can happen now. */
export function happenings(at: Situation, draws: readonly number[] = [0, 0.999]): Happening[] {
  const found: Happening[] = [];
  const { machine, nowMs, socket } = at;
  const add = (name: string, event: MachineEvent, before: Partial<Situation> = {}): void => {
    for (const draw of draws) found.push({ name: `${name}@${draw}`, event, draw, before: { ...at, ...before } });
  };
  for (const type of ['wake', 'online', 'offline', 'pause', 'resume', 'retryNow', 'close'] as const) add(type, { type });
  if (machine.name === 'idle') add('start', { type: 'start' });
  if (at.isTokenAsked) {
    add('token', { type: 'token' }, { isTokenAsked: false });
    add('tokenFailed', { type: 'tokenFailed', problem: PROBLEM }, { isTokenAsked: false });
  }
  if (socket !== 'none') {
    for (const advice of ADVICES) add(`lost:${advice}`, { type: 'lost', advice, problem: PROBLEM }, { socket: 'none' });
    add('lost:wait', { type: 'lost', advice: 'back-off', problem: PROBLEM, retryAfterMs: 5_000 }, { socket: 'none' });
  }
  if (socket === 'opening') add('opened', { type: 'opened' }, { socket: 'open', heardAtMs: nowMs });
  if (socket === 'open') {
    add('broken', { type: 'lost', advice: 'resume', problem: PROBLEM, code: 4202 });
    add('heard', { type: 'heard' }, { heardAtMs: nowMs });
    add('goaway', { type: 'goaway', spreadMs: 1_000, alternate: 'ws://other' }, { heardAtMs: nowMs });
    add('spread', { type: 'spread', spreadMs: 400 }, { heardAtMs: nowMs });
  }
  if (machine.name === 'greeting') {
    const welcomed = { type: 'welcomed', quietMs: QUIET_MS, answerMs: ANSWER_MS } as const;
    add('welcomed', { ...welcomed, isProof: true }, { heardAtMs: nowMs });
    add('welcomed:mute', { ...welcomed, quietMs: NEVER, answerMs: NEVER, isProof: false }, { heardAtMs: nowMs });
  }
  if (at.isScouting) {
    add('scouted', { type: 'scouted', isReachable: true }, { isScouting: false });
    add('scouted:no', { type: 'scouted', isReachable: false }, { isScouting: false });
  }
  if (machine.dueMs < NEVER) {
    const dueMs = Math.max(nowMs, machine.dueMs);
    add('timer', { type: 'timer' }, { nowMs: dueMs });
    add('timer:late', { type: 'timer' }, { nowMs: dueMs + 5_000 });
    add('timer:clock back', { type: 'timer' }, { nowMs: dueMs - 3_600_000 });
    // Sleep: what happens first is not the timer.
    add('wake:slept', { type: 'wake' }, { nowMs: dueMs + 60_000 });
  }
  return found;
}

/** Carries out one happening. Throws a `ModelViolation` for what must not be. */
export function happen({ event, draw, before }: Happening, way: readonly string[], rules: Rules = MODEL_RULES): Situation {
  const fail = (message: string): never => {
    throw new ModelViolation(message, way);
  };
  const heardAtMs = Math.min(before.heardAtMs, before.nowMs);
  const { state, effects } = step(before.machine, event, { nowMs: before.nowMs, heardAtMs, draw, rules });
  const after = { ...before, heardAtMs, machine: state };
  for (const effect of effects) carryOut(effect, after, event.type === 'lost', fail);
  check(before, after, { event, draw, effects }, rules, fail);
  return after;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

function carryOut(effect: Effect, world: Mutable<Situation>, isLost: boolean, fail: (message: string) => never): void {
  switch (effect) {
    case 'authorize':
      if (world.socket !== 'none') fail('a token is asked for while a socket lives');
      world.isTokenAsked = true;
      return;
    case 'connect':
      if (world.socket !== 'none') fail('two live sockets');
      world.socket = 'opening';
      return;
    case 'greet':
      if (world.socket !== 'open' || world.isGreeted) fail('greeted what is not open, or twice');
      world.isGreeted = true;
      return;
    case 'up':
      if (!world.isGreeted || world.isUp) fail('up without a greeting, or twice');
      world.isUp = true;
      return;
    case 'down':
      if (!world.isGreeted) fail('down without a greeting');
      world.isGreeted = world.isUp = world.isScouting = false;
      return;
    case 'probe':
      if (!world.isUp) fail('probed what is not up');
      return;
    case 'drop':
    case 'abandon':
      if (world.socket === 'none' && !isLost) fail(`${effect} without a socket`);
      world.socket = 'none';
      return;
    case 'scout':
      if (!world.isUp || world.machine.endpoint === 0) fail('scouted without need');
      world.isScouting = true;
      return;
  }
}

/** Which socket and timer belong to each state. */
const BELONGS: Readonly<Record<StateName, readonly [socket: Situation['socket'], isUp: boolean, hasTimer: boolean | undefined]>> = {
  idle: ['none', false, false],
  authorizing: ['none', false, true],
  opening: ['opening', false, true],
  greeting: ['open', false, true],
  // Without a heartbeat there is nothing to wait for.
  open: ['open', true, undefined],
  probing: ['open', true, true],
  suspect: ['open', true, true],
  leaving: ['open', true, true],
  waiting: ['none', false, true],
  offline: ['none', false, true],
  paused: ['none', false, false],
  closed: ['none', false, false],
  ended: ['none', false, false],
};

function check(
  before: Situation,
  after: Situation,
  { event, draw, effects }: { readonly event: MachineEvent; readonly draw: number; readonly effects: readonly Effect[] },
  rules: Rules,
  fail: (message: string) => never,
): void {
  const { machine, nowMs } = after;
  const { name, dueMs, attempt } = machine;
  const was = before.machine.name;
  const [socket, isUp, hasTimer] = BELONGS[name];
  if (after.socket !== socket) fail(`${name} with a socket that is ${after.socket}`);
  if (after.isUp !== isUp) fail(`${name}, and ${after.isUp ? '' : 'not '}up`);
  if (after.isGreeted !== (socket === 'open')) fail(`${name}, and ${after.isGreeted ? '' : 'not '}greeted`);
  if (hasTimer !== undefined && hasTimer !== dueMs < NEVER) fail(`${name} ${hasTimer ? 'without a timer' : 'with a timer left'}`);
  if (name === 'open' && machine.quietMs < NEVER && dueMs === NEVER) fail('open without a heartbeat');
  if (dueMs < NEVER && (Number.isNaN(dueMs) || dueMs > nowMs + FAR_MS)) fail(`due in ${dueMs - nowMs} ms`);
  if (was === 'ended' && (name !== 'ended' || effects.length > 0)) fail('something after the end');
  if (event.type === 'close' && name !== 'ended') fail('close() did not end it');
  if (was === 'closed' && name !== 'closed' && event.type !== 'retryNow' && event.type !== 'close') fail(`${event.type} left closed`);
  if (was === 'paused' && name !== 'paused' && event.type !== 'resume' && event.type !== 'close') fail(`${event.type} left paused`);
  if (event.type === 'lost' && event.advice === 'stop' && before.isGreeted && name !== 'closed') fail('went on where it was told to stop');
  if (attempt > rules.attemptsMax) fail(`attempt ${attempt}`);
  if (machine.refusals >= rules.refusalsMax && name !== 'closed' && name !== 'ended') fail(`${machine.refusals} refusals`);
  const wasStable = Math.max(nowMs, before.machine.nowMs) - before.machine.openedAtMs >= STABLE_MS;
  if (attempt < before.machine.attempt && !wasStable && event.type !== 'retryNow')
    fail('the growth ended before the connection proved stable');
  checkWait(before, after, event, draw, rules, fail);
  checkDeath(before, after, event, fail);
}

/** HF-11.3: the waits. */
function checkWait(
  before: Situation,
  { machine, nowMs }: Situation,
  event: MachineEvent,
  draw: number,
  rules: Rules,
  fail: (message: string) => never,
): void {
  const { attempt, spreadMs, dueMs, floorMs } = machine;
  const isNew = machine.name === 'waiting' && before.machine.name !== 'waiting' && before.machine.name !== 'offline';
  if (!isNew) return;
  const isRefused = event.type === 'lost' && event.advice === 'back-off';
  const grownMs = Math.min(isRefused ? 20_000 : 5_000, rules.backoff.baseMs! * 2 ** (attempt - 2));
  const drawnMs = Math.floor(draw * (attempt === 1 ? spreadMs : Math.max(spreadMs, grownMs)));
  if (dueMs - floorMs !== drawnMs) fail(`wait ${attempt} of ${dueMs - floorMs} ms, not ${drawnMs}`);
  if (isRefused && attempt < 2) fail('no growing wait after a refusal');
  if (event.type === 'lost' && event.retryAfterMs !== undefined && dueMs < nowMs + event.retryAfterMs)
    fail('earlier than the server asked for');
}

/** HF-8.2: a socket is given up only if it was asked and had its time, and heard nothing in it. */
function checkDeath(before: Situation, after: Situation, event: MachineEvent, fail: (message: string) => never): void {
  const { name, dueMs, isLate } = before.machine;
  if (!before.isUp || after.isUp || event.type === 'lost' || event.type === 'pause' || event.type === 'close') return;
  if (event.type !== 'timer') fail(`${event.type} ended a live socket`);
  const isLeaving = after.machine.name === 'authorizing';
  if (!isLeaving && name !== 'suspect') fail(`a ${name} socket was given up unasked`);
  if (!isLeaving && after.nowMs - dueMs > 1_000 && !isLate) fail('given up by a timer that came late');
}

/** Situations that differ in nothing that matters are one. */
function keyOf({ machine, nowMs, heardAtMs, ...world }: Situation): string {
  const since = (ms: number, mostMs: number): number => (ms === NEVER ? -1 : Math.min(nowMs - ms, mostMs));
  const until = (ms: number): number => (ms === NEVER ? -1 : Math.round(Math.max(0, ms - nowMs)));
  const { name, attempt, endpoint, alternate, spreadMs, quietMs, refusals, isOffline, isLate } = machine;
  const times = [
    since(machine.openedAtMs, STABLE_MS),
    since(heardAtMs, QUIET_MS),
    until(machine.dueMs),
    until(machine.floorMs),
    until(machine.leaveAtMs),
    until(machine.scoutAtMs),
  ];
  return JSON.stringify([
    name,
    attempt,
    endpoint,
    alternate,
    spreadMs,
    quietMs === NEVER,
    refusals,
    isOffline,
    isLate,
    times,
    Object.values(world),
  ]);
}

export interface Exploration {
  /** Distinct situations that were reached. */
  readonly situationCount: number;
  readonly stepCount: number;
  /** How deep it went; less than asked for where nothing new was left. */
  readonly depth: number;
  readonly isComplete: boolean;
  readonly edges: readonly Edge[];
  readonly situations: readonly Situation[];
}

/** Every interleaving of events to a depth. Throws a `ModelViolation`. */
export function explore(depthMax: number, situationMax: number = NEVER): Exploration {
  interface Node {
    readonly at: Situation;
    readonly parent: Node | undefined;
    readonly by: string;
  }
  const wayTo = (node: Node | undefined): string[] => (node?.parent === undefined ? [] : [...wayTo(node.parent), node.by]);
  const seen = new Map<string, Situation>([[keyOf(BEGINNING), BEGINNING]]);
  const edges = new Map<string, Edge>();
  let stepCount = 0;
  let depth = 0;
  let frontier: Node[] = [{ at: BEGINNING, parent: undefined, by: '' }];
  while (depth < depthMax && frontier.length > 0 && seen.size < situationMax) {
    depth += 1;
    const next: Node[] = [];
    for (const node of frontier) {
      for (const happening of happenings(node.at)) {
        stepCount += 1;
        const after = happen(happening, [...wayTo(node), happening.name]);
        const [from, to, event] = [node.at.machine.name, after.machine.name, happening.event.type];
        if (TABLE[from][event] !== undefined) edges.set(`${from} ${event} ${to}`, { from, event, to });
        const key = keyOf(after);
        if (seen.has(key)) continue;
        seen.set(key, after);
        next.push({ at: after, parent: node, by: happening.name });
      }
    }
    frontier = next;
  }
  return {
    situationCount: seen.size,
    stepCount,
    depth,
    isComplete: frontier.length === 0,
    edges: [...edges.values()],
    situations: [...seen.values()],
  };
}

export interface Walks {
  readonly stepCount: number;
  readonly rows: ReadonlySet<string>;
}

/** What most of the time happens: walks would hardly get far without. */
const PROGRESS: ReadonlySet<MachineEvent['type']> = new Set(['start', 'token', 'opened', 'welcomed', 'timer', 'resume', 'scouted']);

/** Random walks from the beginning, with any draws. Throws a `ModelViolation`. */
export function walk(count: number, length: number, random: () => number): Walks {
  const rows = new Set<string>();
  let stepCount = 0;
  for (let n = 0; n < count; n++) {
    let at = BEGINNING;
    const way: string[] = [];
    for (let taken = 0; taken < length && at.machine.name !== 'ended'; taken++) {
      const all = happenings(at, [random()]);
      const good = random() < 0.5 ? all.filter(({ event }) => PROGRESS.has(event.type)) : [];
      const possible = good.length > 0 ? good : all;
      const chosen = possible[Math.floor(random() * possible.length)]!;
      // Most walks would end at once.
      if (chosen.event.type === 'close' && random() < 0.9) continue;
      way.push(chosen.name);
      if (TABLE[at.machine.name][chosen.event.type] !== undefined) rows.add(`${at.machine.name} ${chosen.event.type}`);
      at = happen(chosen, way);
      stepCount += 1;
    }
  }
  return { stepCount, rows };
}

/**
 * From a situation: a world that answers leads to an open connection; one that never does leads out of every socket; and
 * `close` always ends. Throws a `ModelViolation`.
 */
export function liveness(at: Situation): void {
  follow(
    at,
    ['resume', 'retryNow', 'start', 'token', 'opened', 'welcomed', 'heard', 'timer'],
    'no way back to open',
    ({ name }) => name === 'open' || name === 'ended',
  );
  const isMute = at.machine.quietMs === NEVER && at.isUp;
  if (at.socket !== 'none' && !isMute)
    follow(at, ['timer'], 'a socket that never answers is kept', (machine) => BELONGS[machine.name][0] === 'none');
}

/** Takes the first that is possible of the names, in their order, until the goal. */
function follow(start: Situation, names: readonly string[], complaint: string, isGoal: (machine: MachineState) => boolean): void {
  let at = start;
  const way: string[] = [`(${keyOf(start)})`];
  for (let taken = 0; taken < 12; taken++) {
    if (isGoal(at.machine)) return;
    const possible = happenings(at, [0.5]);
    const chosen = names
      .map((name) => possible.find((one) => one.name === `${name}@0.5` && TABLE[at.machine.name][one.event.type] !== undefined))
      .find((one) => one !== undefined);
    if (chosen === undefined) break;
    way.push(chosen.name);
    at = happen(chosen, way);
  }
  if (!isGoal(at.machine)) throw new ModelViolation(complaint, way);
}
