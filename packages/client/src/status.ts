/** What a connection is like now, for people: the fields, and a sentence made of them. */

import type { HoldfastError } from '@holdfast/wire';
import { systemClock } from './clock.ts';
import type { ConnectionDriver } from './connection-driver.ts';
import type { Phase } from './connection-machine.ts';

export interface ConnectionStatus {
  /**
   * `idle`: not begun, or paused. `connecting`: an attempt is under way. `open`: messages flow. `suspect`: open, and silent for
   * longer than it should be. `waiting`: for the next attempt. `offline`: the same where the platform says that there is no
   * network. `closed`: for good, or until `retryNow()`.
   */
  readonly phase: Phase;
  /** Attempts since the last connection that proved stable; 0 while the first is under way. */
  readonly attempt: number;
  /** When the next attempt begins, wall clock ms; while waiting for it. */
  readonly retryAtMs: number | undefined;
  /** From the last question to its answer, ms: the greeting or a heartbeat. `undefined` before the first answer. */
  readonly rttMs: number | undefined;
  /** Messages that wait to be sent or to be confirmed. */
  readonly queuedCount: number;
  /** The address of the present or last socket. */
  readonly endpoint: string;
  /** What is wrong now; `undefined` when nothing is. */
  readonly lastError: HoldfastError | undefined;
}

export function statusOf(driver: ConnectionDriver, queuedCount: number): ConnectionStatus {
  const { phase, attempt, retryAtMs, rttMs, endpoint, lastError } = driver;
  return { phase, attempt, retryAtMs, rttMs, queuedCount, endpoint, lastError };
}

/** The words of `describeStatus`. Each phase has a part of the sentence; `queued` follows it where messages wait. */
export interface StatusWords {
  idle(): string;
  connecting(isAgain: boolean): string;
  open(): string;
  suspect(): string;
  /** `seconds`: until the next attempt, rounded up; 0: now. */
  waiting(seconds: number): string;
  offline(): string;
  closed(error: HoldfastError | undefined): string;
  queued(count: number): string;
}

export const ENGLISH_STATUS: StatusWords = {
  idle: () => 'not connected',
  connecting: (isAgain) => (isAgain ? 'reconnecting' : 'connecting'),
  open: () => 'connected',
  suspect: () => 'no answer, checking the connection',
  waiting: (seconds) => (seconds === 0 ? 'reconnecting' : `reconnecting in ${seconds} s`),
  offline: () => 'offline',
  closed: (error) => (error === undefined ? 'closed' : `stopped: ${error.message}`),
  queued: (count) => `${count} ${count === 1 ? 'message' : 'messages'} waiting`,
};

/**
 * A status in words: "reconnecting in 3 s, 4 messages waiting". `words` replaces any of the English ones; `nowMs`, wall clock,
 * is what the seconds count from (default: now). Call it again every second while the phase is `waiting`.
 */
export function describeStatus(
  status: Pick<ConnectionStatus, 'phase' | 'attempt' | 'retryAtMs' | 'queuedCount' | 'lastError'>,
  {
    words = {},
    nowMs = systemClock.now(),
  }: { readonly words?: Partial<StatusWords> | undefined; readonly nowMs?: number | undefined } = {},
): string {
  const { phase, attempt, retryAtMs = nowMs, queuedCount, lastError } = status;
  const say = { ...ENGLISH_STATUS, ...words };
  const parts = {
    idle: () => say.idle(),
    connecting: () => say.connecting(attempt > 0),
    open: () => say.open(),
    suspect: () => say.suspect(),
    waiting: () => say.waiting(Math.max(0, Math.ceil((retryAtMs - nowMs) / 1_000))),
    offline: () => say.offline(),
    closed: () => say.closed(lastError),
  } satisfies Record<Phase, () => string>;
  const sentence = parts[phase]();
  return queuedCount === 0 ? sentence : `${sentence}, ${say.queued(queuedCount)}`;
}
