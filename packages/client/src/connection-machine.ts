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
 *   doubles (full jitter); the growth ends only after a connection that stood for `STABLE_MS` (HF-11.3).
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
/** A connection that lasted this long was a success: the waits begin anew. */
const STABLE_MS = 10_000;
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
type Row<N extends Name> = (state: MachineState, event: EventOf<N>, moment: Moment) => Step;
type Rows = { readonly [N in Name]?: Row<N> };

// What several states have in common. An absent row: nothing happens.

const HINTS: Pick<Required<Rows>, 'online' | 'offline'> = {
  online: (state) => still({ ...state, isOffline: false }),
  offline: (state) => still({ ...state, isOffline: true }),
};
const LIVING: Rows = { ...HINTS, close: end, pause };
const ATTEMPT: Rows = { ...LIVING, lost, timer: giveUp };
const USABLE: Rows = { ...LIVING, lost, goaway, spread, online: ask, offline: ask };
const RESTING: Rows = { ...USABLE, timer: beat, wake: ask, scouted };
const ASKED: Rows = { ...USABLE, ...HINTS, heard: rest };
const WAITING: Rows = { ...LIVING, timer: begin, retryNow: begin, wake: hurry, online: hurry, offline: slowDown };

export const TABLE: Readonly<Record<StateName, Rows>> = {
  idle: { ...HINTS, start: begin, close: end, pause },
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
  return row === undefined ? still(state) : row(synchronized(state, moment.nowMs), event, moment);
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

/** A clock that was set back would make a deadline as far as it was set back: all of them go with it. */
function synchronized(state: MachineState, nowMs: number): MachineState {
  const backMs = Math.max(0, state.nowMs - nowMs);
  return {
    ...state,
    nowMs,
    dueMs: state.dueMs - backMs,
    floorMs: state.floorMs - backMs,
    openedAtMs: state.openedAtMs - backMs,
    leaveAtMs: state.leaveAtMs - backMs,
    scoutAtMs: state.scoutAtMs - backMs,
  };
}

function still(state: MachineState): Step {
  return { state, effects: [] };
}

/** Into a state that has no timer, or one that is due at `dueMs`. */
function enter(state: MachineState, name: StateName, dueMs: number, ...effects: Effect[]): Step {
  return { state: { ...state, name, dueMs }, effects };
}

function isGreeted({ name }: MachineState): boolean {
  return name === 'greeting' || phaseOf(name) === 'open' || name === 'suspect';
}

/** What must be done to leave this state without its socket. */
function release(state: MachineState, how: 'drop' | 'abandon' = 'drop'): Effect[] {
  if (isGreeted(state)) return [how, 'down'];
  return state.name === 'opening' ? [how] : [];
}

function begin(state: MachineState, _event: unknown, { nowMs, rules }: Moment): Step {
  return enter(settled(state), 'authorizing', nowMs + rules.attemptMs, ...release(state), 'authorize');
}

function startAnew(state: MachineState, event: unknown, moment: Moment): Step {
  return begin({ ...state, attempt: 0, refusals: 0 }, event, moment);
}

function connect(state: MachineState, _event: unknown, { nowMs, rules }: Moment): Step {
  return enter(state, 'opening', nowMs + rules.attemptMs, 'connect');
}

function tokenFailed(state: MachineState, event: MachineEvent, moment: Moment): Step {
  return wait({ ...state, problem: event.type === 'tokenFailed' ? event.problem : 'UNAUTHENTICATED' }, moment, []);
}

function greet(state: MachineState): Step {
  return enter(state, 'greeting', state.dueMs, 'greet');
}

function welcomed(state: MachineState, event: EventOf<'welcomed'>, moment: Moment): Step {
  const { spreadMs = state.spreadMs, quietMs, answerMs, isProof } = event;
  const { nowMs } = moment;
  const refusals = isProof ? 0 : state.refusals;
  const opened = { ...state, spreadMs, quietMs, answerMs, refusals, openedAtMs: nowMs, problem: undefined, alternate: undefined };
  const { state: next } = rest({ ...opened, scoutAtMs: scoutingTime(state, moment) }, event, moment);
  return { state: next, effects: ['up'] };
}

/** The connection is used, until the first thing that falls due. */
function rest(state: MachineState, _event: unknown, { heardAtMs }: Moment): Step {
  const { leaveAtMs, scoutAtMs, quietMs } = state;
  const dueMs = Math.min(heardAtMs + quietMs, leaveAtMs, scoutAtMs);
  return enter({ ...state, isLate: false }, leaveAtMs === NEVER ? 'open' : 'leaving', dueMs);
}

/** The one timer of a connection that is used: it looks what is due. */
function beat(state: MachineState, event: unknown, moment: Moment): Step {
  const { nowMs, heardAtMs } = moment;
  if (nowMs >= state.leaveAtMs) return begin(state, event, moment);
  if (nowMs >= heardAtMs + state.quietMs) return probe(state, moment);
  if (nowMs < state.scoutAtMs) return rest(state, event, moment);
  return { ...rest({ ...state, scoutAtMs: scoutingTime(state, moment) }, event, moment), effects: ['scout'] };
}

function probe(state: MachineState, { nowMs }: Moment): Step {
  return enter(state, 'probing', nowMs + PATIENCE * state.answerMs, 'probe');
}

/** Something happened outside: is this socket still one? */
function ask(state: MachineState, event: MachineEvent, moment: Moment): Step {
  const isOffline = event.type === 'wake' ? state.isOffline : event.type === 'offline';
  const next = { ...state, isOffline };
  const isFresh = event.type === 'wake' && moment.nowMs < moment.heardAtMs + FRESH_MS;
  return isFresh || state.answerMs === NEVER ? still(next) : probe(next, moment);
}

function doubt(state: MachineState, _event: unknown, { nowMs }: Moment): Step {
  return enter(state, 'suspect', nowMs + (1 - PATIENCE) * state.answerMs);
}

/** No answer: a new socket. But what could not be heard, since nothing ran here, is asked for once more. */
function bury(state: MachineState, _event: unknown, moment: Moment): Step {
  if (moment.nowMs - state.dueMs > LATE_MS && !state.isLate) return probe({ ...state, isLate: true }, moment);
  return afterLoss({ ...state, problem: 'HEARTBEAT_LOST' }, moment, release(state, 'abandon'));
}

/** No answer to an attempt. */
function giveUp(state: MachineState, _event: unknown, moment: Moment): Step {
  return afterLoss({ ...state, problem: 'CONNECT_TIMEOUT' }, moment, release(state, 'abandon'));
}

/** HF-11.1. */
function lost(state: MachineState, event: EventOf<'lost'>, moment: Moment): Step {
  const { advice, problem, retryAfterMs } = event;
  const effects = release(state);
  const refusals = advice === 'reauthenticate' ? state.refusals + 1 : state.refusals;
  const isNoUse = advice === 'stop' || (advice === 'reauthenticate' && refusals >= moment.rules.refusalsMax);
  if (isNoUse) return stop({ ...state, problem }, effects);
  return afterLoss({ ...state, refusals, problem }, moment, effects, advice === 'back-off' ? 1 : 0, retryAfterMs);
}

/** The next attempt, from the present one's end. `attemptMin` 1: after a growing delay, whatever was before. */
function afterLoss(state: MachineState, moment: Moment, effects: Effect[], attemptMin = 0, retryAfterMs?: number): Step {
  const { openedAtMs, leaveAtMs, endpoint, alternate } = state;
  const hasFailed = openedAtMs === NEVER && alternate === undefined;
  const next = settled(state);
  const after = {
    ...next,
    attempt: Math.max(next.attempt, attemptMin),
    endpoint: hasFailed ? (endpoint + 1) % moment.rules.endpointCount : endpoint,
    // One that was to be used next still is.
    alternate: leaveAtMs === NEVER ? undefined : alternate,
  };
  return wait(after, moment, effects, retryAfterMs);
}

function wait(state: MachineState, { nowMs, draw, rules }: Moment, effects: Effect[], retryAfterMs = 0): Step {
  const { attempt, spreadMs, isOffline } = state;
  if (attempt >= rules.attemptsMax) return stop(state, effects);
  const floorMs = nowMs + retryAfterMs;
  if (isOffline) return enter({ ...state, floorMs }, 'offline', floorMs + OFFLINE_MS * (1 + draw), ...effects);
  const delayMs = backoffDelayMs(attempt, spreadMs, draw, rules.backoff);
  return enter({ ...state, floorMs, attempt: attempt + 1 }, 'waiting', floorMs + delayMs, ...effects);
}

/** Something says that it may work now: the present wait is at most the spread. The growth goes on. */
function hurry(state: MachineState, event: MachineEvent, { nowMs, draw }: Moment): Step {
  const dueMs = Math.max(state.floorMs, Math.min(state.dueMs, nowMs + Math.floor(draw * state.spreadMs)));
  return enter({ ...state, isOffline: event.type !== 'online' && state.isOffline }, 'waiting', dueMs);
}

function slowDown(state: MachineState, _event: unknown, { nowMs, draw }: Moment): Step {
  return enter({ ...state, isOffline: true }, 'offline', Math.max(state.dueMs, nowMs + OFFLINE_MS * (1 + draw)));
}

/** HF-8.3. Until then this socket is used. */
function goaway(state: MachineState, { spreadMs, alternate }: EventOf<'goaway'>, moment: Moment): Step {
  return leave({ ...state, spreadMs, alternate }, moment);
}

/** The first endpoint can be had again. */
function scouted(state: MachineState, { isReachable }: EventOf<'scouted'>, moment: Moment): Step {
  return isReachable ? leave({ ...state, endpoint: 0, scoutAtMs: NEVER }, moment) : still(state);
}

function leave(state: MachineState, moment: Moment): Step {
  const leaveAtMs = Math.min(state.leaveAtMs, moment.nowMs + Math.floor(moment.draw * state.spreadMs));
  return state.name === 'greeting' ? still({ ...state, leaveAtMs }) : rest({ ...state, leaveAtMs }, undefined, moment);
}

function spread(state: MachineState, { spreadMs }: EventOf<'spread'>): Step {
  return still({ ...state, spreadMs });
}

function pause(state: MachineState): Step {
  return enter(settled(state), 'paused', NEVER, ...release(state));
}

function stop(state: MachineState, effects: Effect[]): Step {
  return enter(settled(state), 'closed', NEVER, ...effects);
}

function end(state: MachineState, { problem }: EventOf<'close'>): Step {
  return enter({ ...settled(state), problem: problem ?? state.problem }, 'ended', NEVER, ...release(state));
}

/** Without what belongs to a connection; one that was stable ends the growth of the waits. */
function settled(state: MachineState): MachineState {
  const attempt = state.nowMs - state.openedAtMs >= STABLE_MS ? 0 : state.attempt;
  return { ...state, attempt, openedAtMs: NEVER, leaveAtMs: NEVER, scoutAtMs: NEVER, isLate: false };
}

function scoutingTime({ endpoint }: MachineState, { nowMs, draw }: Moment): number {
  return endpoint === 0 ? NEVER : nowMs + SCOUT_MS * (1 + draw);
}
