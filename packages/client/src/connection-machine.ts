/**
 * What keeps a connection alive across sockets, as one pure machine: `(state, event, moment) -> (state, effects)`. It has no
 * clock, no timer, no chance and no socket: the time, a random number and the time of the last life come with each event,
 * and the driver (connection-driver.ts) carries out the effects. Source: PROTOCOL.md HF-3, HF-8, HF-11.
 *
 * The rules:
 * - Events that a state has no row for change nothing. A row is a function from the table below; nothing else decides.
 * - Every state has at most one timer, `dueMs`, and it dies with the state. A deadline is a wall-clock time in the state, so
 *   a timer that comes late, after sleep or in a throttled page, finds what is due. When the clock is set back all deadlines
 *   move back with it.
 * - At most one socket at a time: `connect` comes only after the last one was dropped or abandoned, or ended by itself.
 *   `greet` and `down` alternate, so do `up` and `down` where `up` comes at all.
 * - Nothing is declared dead that was not asked: silence, waking up, `online` and `offline` lead to `probing` first. What does
 *   not answer is `suspect`, then abandoned. An answer that could not be heard, because the timer came late, is waited for
 *   once more.
 * - The first wait after a loss is uniform over the spread that the server announced last, the next ones up to a bound that
 *   doubles to `CAP_MS`, or further after an attempt that the server refused, and is never less than that spread (full
 *   jitter); the growth ends only after a connection that stood for `STABLE_MS` (HF-11.3).
 * - The endpoint moves on after an attempt that failed, not after a loss. On another than the first, the first is scouted with
 *   a socket of its own that carries nothing; if it opens, the connection leaves for it within the spread.
 * - `offline` is a hint: it slows attempts down, and asks a live socket whether it is one.
 * - `closed` is left by `retryNow` alone, `ended` never.
 *
 * The figure docs/images/connection.svg is drawn from this table by scripts/connection-figure.mjs.
 */

import { backoffDelayMs, type BackoffOptions, type CloseAdvice, type ErrorCode, type HoldfastError } from '@holdfast/wire';

export type StateName =
  /** Not started. */
  | 'idle'
  /** A token is being fetched. */
  | 'authorizing'
  /** A socket is being opened. */
  | 'opening'
  /** It is open, the first frame is sent, and the answer has not come. */
  | 'greeting'
  | 'open'
  /** Open, and asked for a sign of life. */
  | 'probing'
  /** Open, asked, and silent for too long. */
  | 'suspect'
  /** Open, and to be replaced by a new socket within a spread. */
  | 'leaving'
  /** For the next attempt. */
  | 'waiting'
  /** The same where the platform says that there is no network. */
  | 'offline'
  /** By the application: no socket, no timer. */
  | 'paused'
  /** Given up: `retryNow` begins again. */
  | 'closed'
  /** By the application, for good. */
  | 'ended';

/** What a user interface needs to know. */
export type Phase = 'idle' | 'connecting' | 'open' | 'suspect' | 'waiting' | 'offline' | 'closed';

export type Effect =
  /** Get a token; answered by `token` or `tokenFailed`. */
  | 'authorize'
  /** Open a socket to `alternate`, else to the endpoint; answered by `opened` or `lost`. */
  | 'connect'
  /** Send the first frame; answered by `welcomed` or `lost`. */
  | 'greet'
  /** The connection can be used. */
  | 'up'
  /** It cannot any more; comes once for each `greet`. */
  | 'down'
  /** Ask the peer for a sign of life. */
  | 'probe'
  /** Close the socket with the event's code and hear no more of it. */
  | 'drop'
  /** Let go of a socket that cannot be expected to close. */
  | 'abandon'
  /** Open and close a socket to the first endpoint; answered by `scouted`. Ends with the connection. */
  | 'scout';

/** Why there is no connection: an error, or a code that stands for one. */
export type Problem = HoldfastError | Extract<ErrorCode, 'CONNECT_TIMEOUT' | 'HEARTBEAT_LOST' | 'UNAUTHENTICATED'>;

export interface MachineState {
  readonly name: StateName;
  /** Of the last event. All times are wall clock ms. */
  readonly nowMs: number;
  /** When the state's timer fires; `Infinity`: it has none. */
  readonly dueMs: number;
  /** Waits since the last connection that proved stable. */
  readonly attempt: number;
  /** Number of the endpoint, in the driver's order. */
  readonly endpoint: number;
  /** Where the server sent us; for one attempt. */
  readonly alternate: string | undefined;
  /** As announced last (HF-11.3). */
  readonly spreadMs: number;
  /** Silence after which the peer is asked for a sign of life, and how long it has for it. `Infinity`: never asked. */
  readonly quietMs: number;
  readonly answerMs: number;
  /** No attempt before this time by itself (`Retry-After`). */
  readonly floorMs: number;
  readonly openedAtMs: number;
  /** When a new socket is to be taken; `Infinity`: not. */
  readonly leaveAtMs: number;
  /** When the first endpoint is to be scouted; `Infinity`: not. */
  readonly scoutAtMs: number;
  /** Times in a row that the credentials were refused. */
  readonly refusals: number;
  readonly isOffline: boolean;
  /** A timer came too late to judge by; the next one counts. */
  readonly isLate: boolean;
  readonly problem: Problem | undefined;
}

export type MachineEvent =
  | { readonly type: 'start' }
  | { readonly type: 'token' }
  | { readonly type: 'tokenFailed'; readonly problem: HoldfastError }
  | { readonly type: 'opened' }
  /** `isProof`: the credentials were accepted. */
  | {
      readonly type: 'welcomed';
      readonly spreadMs?: number;
      readonly quietMs: number;
      readonly answerMs: number;
      readonly isProof: boolean;
    }
  /** Anything arrived. */
  | { readonly type: 'heard' }
  /** The socket ended, or is of no use any more: then it is closed with `code`. */
  | {
      readonly type: 'lost';
      readonly advice: CloseAdvice;
      readonly problem: HoldfastError;
      readonly retryAfterMs?: number | undefined;
      readonly code?: number;
      readonly reason?: string;
    }
  /** HF-8.3. */
  | { readonly type: 'goaway'; readonly spreadMs: number; readonly alternate?: string | undefined }
  /** The server's spread is another one now. */
  | { readonly type: 'spread'; readonly spreadMs: number }
  | { readonly type: 'scouted'; readonly isReachable: boolean }
  | { readonly type: 'timer' }
  /** The process or page runs again, or is looked at again. */
  | { readonly type: 'wake' }
  | { readonly type: 'online' }
  | { readonly type: 'offline' }
  | { readonly type: 'pause' }
  | { readonly type: 'resume' }
  | { readonly type: 'retryNow' }
  | { readonly type: 'close'; readonly code?: number; readonly reason?: string; readonly problem?: HoldfastError | undefined };

/** What comes with every event. */
export interface Moment {
  /** Wall clock ms. */
  readonly nowMs: number;
  /** When something last arrived on the present socket, wall clock ms; not after `nowMs`. */
  readonly heardAtMs: number;
  /** Uniform in [0, 1). */
  readonly draw: number;
  readonly rules: Rules;
}

export interface Rules {
  readonly backoff: BackoffOptions;
  /** Attempts in a row that may fail. */
  readonly attemptsMax: number;
  readonly endpointCount: number;
  /** Refusals of the credentials in a row after which it is no use. */
  readonly refusalsMax: number;
  /** From the token to the welcome. */
  readonly attemptMs: number;
}

export interface Step {
  readonly state: MachineState;
  readonly effects: readonly Effect[];
}

/** HF-11.3: the spread while no server announced one. */
const SPREAD_MS = 250;
/** A connection that lasted this long was a success: the waits begin anew, which the spread keeps apart. */
const STABLE_MS = 2_000;
/**
 * What the bound of the waits doubles to where nobody refused. 5,000 clients that cannot get in make 2,000 attempts a second
 * then. A server of more announces a longer spread, which guards it from browsers too: they are not told of a refusal.
 */
const CAP_MS = 5_000;
/** Between attempts without a network, at least; at most twice that. `offline` may be wrong. */
const OFFLINE_MS = 30_000;
/** Between two scoutings of the first endpoint, at least; at most twice that. */
const SCOUT_MS = 60_000;
/** A timer that is this late says that nothing could be heard in the meantime. */
const LATE_MS = 1_000;
/** After waking up, life that is no older than this needs no probe. */
const FRESH_MS = 1_000;
/** Of the time for an answer, until the peer is suspect. */
const PATIENCE = 0.25;
const NEVER = Number.POSITIVE_INFINITY;

export const INITIAL_STATE: MachineState = {
  name: 'idle',
  nowMs: 0,
  dueMs: NEVER,
  attempt: 0,
  endpoint: 0,
  alternate: undefined,
  spreadMs: SPREAD_MS,
  quietMs: NEVER,
  answerMs: NEVER,
  floorMs: 0,
  openedAtMs: NEVER,
  leaveAtMs: NEVER,
  scoutAtMs: NEVER,
  refusals: 0,
  isOffline: false,
  isLate: false,
  problem: undefined,
};

type Name = MachineEvent['type'];
type EventOf<N extends Name> = Extract<MachineEvent, { type: N }>;
/** A state that is being made: a copy, which belongs to the step. */
type Draft = { -readonly [K in keyof MachineState]: MachineState[K] };
/** Changes the draft; returns the effects, if any. */
type Row<N extends Name> = (state: Draft, event: EventOf<N>, moment: Moment) => readonly Effect[] | void;
type Rows = { readonly [N in Name]?: Row<N> };

// What several states have in common. An absent row: nothing happens.

const HINTS: Rows = { online: noteNetwork, offline: noteNetwork };
const LIVING: Rows = { ...HINTS, close: end, pause };
const ATTEMPT: Rows = { ...LIVING, lost, timer: giveUp };
const USABLE: Rows = { ...LIVING, lost, goaway, spread };
const RESTING: Rows = { ...USABLE, timer: beat, wake: ask, online: ask, offline: ask, scouted };
const ASKED: Rows = { ...USABLE, heard: rest };
const WAITING: Rows = { ...LIVING, timer: begin, retryNow: begin, wake: hurry, online: hurry, offline: slowDown };

export const TABLE: Readonly<Record<StateName, Rows>> = {
  idle: { ...LIVING, start: begin },
  authorizing: { ...LIVING, token: connect, tokenFailed, timer: tokenFailed },
  opening: { ...ATTEMPT, opened: greet },
  greeting: { ...ATTEMPT, welcomed, goaway, spread },
  open: RESTING,
  probing: { ...ASKED, timer: doubt },
  suspect: { ...ASKED, timer: bury },
  leaving: RESTING,
  waiting: WAITING,
  offline: WAITING,
  paused: { ...HINTS, resume: begin, close: end },
  closed: { ...HINTS, retryNow: startAnew, close: end },
  ended: {},
};

/** One step. An event that the state has no row for gives the same state and no effects. */
export function step(state: MachineState, event: MachineEvent, moment: Moment): Step {
  const row = TABLE[state.name][event.type] as Row<Name> | undefined;
  if (row === undefined) return { state, effects: [] };
  const draft = { ...state };
  setClock(draft, moment.nowMs);
  const effects = row(draft, event, moment) ?? [];
  return { state: draft, effects };
}

/** The phase that a state is shown as. */
export function phaseOf(name: StateName): Phase {
  switch (name) {
    case 'idle':
    case 'paused':
      return 'idle';
    case 'authorizing':
    case 'opening':
    case 'greeting':
      return 'connecting';
    case 'open':
    case 'probing':
    case 'leaving':
      return 'open';
    case 'ended':
      return 'closed';
    case 'suspect':
    case 'waiting':
    case 'offline':
    case 'closed':
      return name;
  }
}

const DEADLINES = ['dueMs', 'floorMs', 'openedAtMs', 'leaveAtMs', 'scoutAtMs'] as const;

/** A clock that was set back would make a deadline as far as it was set back: all of them go with it. */
function setClock(state: Draft, nowMs: number): void {
  const backMs = Math.max(0, state.nowMs - nowMs);
  state.nowMs = nowMs;
  for (const deadline of DEADLINES) state[deadline] -= backMs;
}

/** Into a state that has no timer, or one that is due at `dueMs`. */
function enter(state: Draft, name: StateName, dueMs: number = NEVER): void {
  state.name = name;
  state.dueMs = dueMs;
}

/** Ends what belongs to a connection; one that was stable ends the growth of the waits. Returns what must be done about its socket. */
function leaveSocket(state: Draft, how: 'drop' | 'abandon' = 'drop'): readonly Effect[] {
  const { name, nowMs, openedAtMs } = state;
  if (nowMs - openedAtMs >= STABLE_MS) state.attempt = 0;
  state.openedAtMs = state.leaveAtMs = state.scoutAtMs = NEVER;
  state.isLate = false;
  if (name === 'opening') return [how];
  return name === 'greeting' || openedAtMs < NEVER ? [how, 'down'] : [];
}

function begin(state: Draft, _event: unknown, { nowMs, rules }: Moment): readonly Effect[] {
  const effects = leaveSocket(state);
  enter(state, 'authorizing', nowMs + rules.attemptMs);
  return [...effects, 'authorize'];
}

function startAnew(state: Draft, event: unknown, moment: Moment): readonly Effect[] {
  state.attempt = state.refusals = 0;
  return begin(state, event, moment);
}

function connect(state: Draft, _event: unknown, { nowMs, rules }: Moment): readonly Effect[] {
  enter(state, 'opening', nowMs + rules.attemptMs);
  return ['connect'];
}

function tokenFailed(state: Draft, event: MachineEvent, moment: Moment): void {
  state.problem = event.type === 'tokenFailed' ? event.problem : 'UNAUTHENTICATED';
  wait(state, moment);
}

function greet(state: Draft): readonly Effect[] {
  state.name = 'greeting';
  return ['greet'];
}

function welcomed(state: Draft, event: EventOf<'welcomed'>, moment: Moment): readonly Effect[] {
  const { spreadMs = state.spreadMs, quietMs, answerMs, isProof } = event;
  Object.assign(state, { spreadMs, quietMs, answerMs, openedAtMs: moment.nowMs, problem: undefined, alternate: undefined });
  if (isProof) state.refusals = 0;
  planScouting(state, moment);
  rest(state, event, moment);
  return ['up'];
}

/** The connection is used, until the first thing that falls due. */
function rest(state: Draft, _event: unknown, { heardAtMs }: Moment): void {
  const { leaveAtMs, scoutAtMs, quietMs } = state;
  state.isLate = false;
  enter(state, leaveAtMs === NEVER ? 'open' : 'leaving', Math.min(heardAtMs + quietMs, leaveAtMs, scoutAtMs));
}

/** The one timer of a connection that is used: it looks what is due. */
function beat(state: Draft, event: unknown, moment: Moment): readonly Effect[] {
  const { nowMs, heardAtMs } = moment;
  if (nowMs >= state.leaveAtMs) return begin(state, event, moment);
  if (nowMs >= heardAtMs + state.quietMs) return probe(state, moment);
  const isScouting = nowMs >= state.scoutAtMs;
  if (isScouting) planScouting(state, moment);
  rest(state, event, moment);
  return isScouting ? ['scout'] : [];
}

function probe(state: Draft, { nowMs }: Moment): readonly Effect[] {
  enter(state, 'probing', nowMs + PATIENCE * state.answerMs);
  return ['probe'];
}

function noteNetwork(state: Draft, { type }: MachineEvent): void {
  state.isOffline = type === 'offline';
}

/** Something happened outside: is this socket still one? */
function ask(state: Draft, event: MachineEvent, moment: Moment): readonly Effect[] | void {
  const isWake = event.type === 'wake';
  if (!isWake) noteNetwork(state, event);
  const isFresh = isWake && moment.nowMs < moment.heardAtMs + FRESH_MS;
  if (!isFresh && state.answerMs < NEVER) return probe(state, moment);
}

function doubt(state: Draft, _event: unknown, { nowMs }: Moment): void {
  enter(state, 'suspect', nowMs + (1 - PATIENCE) * state.answerMs);
}

/** No answer: a new socket. But what could not be heard, since nothing ran here, is asked for once more. */
function bury(state: Draft, _event: unknown, moment: Moment): readonly Effect[] {
  if (moment.nowMs - state.dueMs > LATE_MS && !state.isLate) {
    state.isLate = true;
    return probe(state, moment);
  }
  state.problem = 'HEARTBEAT_LOST';
  return comeBack(state, moment, 'abandon');
}

/** No answer to an attempt. */
function giveUp(state: Draft, _event: unknown, moment: Moment): readonly Effect[] {
  state.problem = 'CONNECT_TIMEOUT';
  return comeBack(state, moment, 'abandon');
}

/** HF-11.1. */
function lost(state: Draft, { advice, problem, retryAfterMs }: EventOf<'lost'>, moment: Moment): readonly Effect[] {
  state.problem = problem;
  if (advice === 'reauthenticate') state.refusals += 1;
  const isNoUse = advice === 'stop' || (advice === 'reauthenticate' && state.refusals >= moment.rules.refusalsMax);
  if (!isNoUse) return comeBack(state, moment, 'drop', advice === 'back-off', retryAfterMs);
  const effects = leaveSocket(state);
  enter(state, 'closed');
  return effects;
}

/** The next attempt, from the present one's end. `isRefused`: after a growing delay, whatever was before. */
function comeBack(state: Draft, moment: Moment, how: 'drop' | 'abandon', isRefused = false, retryAfterMs = 0): readonly Effect[] {
  const { openedAtMs, leaveAtMs, endpoint, alternate } = state;
  const effects = leaveSocket(state, how);
  if (isRefused) state.attempt ||= 1;
  if (openedAtMs === NEVER && alternate === undefined) state.endpoint = (endpoint + 1) % moment.rules.endpointCount;
  // One that was to be used next still is.
  if (leaveAtMs === NEVER) state.alternate = undefined;
  wait(state, moment, isRefused, retryAfterMs);
  return effects;
}

function wait(state: Draft, { nowMs, draw, rules }: Moment, isRefused = false, retryAfterMs = 0): void {
  const { attempt, spreadMs, isOffline } = state;
  if (attempt >= rules.attemptsMax) return enter(state, 'closed');
  state.floorMs = nowMs + retryAfterMs;
  if (isOffline) return enter(state, 'offline', state.floorMs + OFFLINE_MS * (1 + draw));
  state.attempt += 1;
  const backoff = isRefused ? rules.backoff : { capMs: CAP_MS, ...rules.backoff };
  enter(state, 'waiting', state.floorMs + backoffDelayMs(attempt, spreadMs, draw, backoff));
}

/** Something says that it may work now: the present wait is at most the spread. The growth goes on. */
function hurry(state: Draft, event: MachineEvent, { nowMs, draw }: Moment): void {
  if (event.type === 'online') state.isOffline = false;
  enter(state, 'waiting', Math.max(state.floorMs, Math.min(state.dueMs, nowMs + Math.floor(draw * state.spreadMs))));
}

function slowDown(state: Draft, _event: unknown, { nowMs, draw }: Moment): void {
  state.isOffline = true;
  enter(state, 'offline', Math.max(state.dueMs, nowMs + OFFLINE_MS * (1 + draw)));
}

/** HF-8.3. Until then this socket is used. */
function goaway(state: Draft, { spreadMs, alternate }: EventOf<'goaway'>, moment: Moment): void {
  state.spreadMs = spreadMs;
  state.alternate = alternate;
  leave(state, moment);
}

/** The first endpoint can be had again. */
function scouted(state: Draft, { isReachable }: EventOf<'scouted'>, moment: Moment): void {
  if (!isReachable) return;
  state.endpoint = 0;
  state.scoutAtMs = NEVER;
  leave(state, moment);
}

/** A question that is under way, or a greeting, goes on: afterwards it leaves. */
function leave(state: Draft, moment: Moment): void {
  state.leaveAtMs = Math.min(state.leaveAtMs, moment.nowMs + Math.floor(moment.draw * state.spreadMs));
  if (state.name === 'open' || state.name === 'leaving') rest(state, undefined, moment);
}

function spread(state: Draft, { spreadMs }: EventOf<'spread'>): void {
  state.spreadMs = spreadMs;
}

function pause(state: Draft): readonly Effect[] {
  const effects = leaveSocket(state);
  enter(state, 'paused');
  return effects;
}

function end(state: Draft, { problem }: EventOf<'close'>): readonly Effect[] {
  const effects = leaveSocket(state);
  state.problem = problem ?? state.problem;
  enter(state, 'ended');
  return effects;
}

function planScouting(state: Draft, { nowMs, draw }: Moment): void {
  state.scoutAtMs = state.endpoint === 0 ? NEVER : nowMs + SCOUT_MS * (1 + draw);
}
