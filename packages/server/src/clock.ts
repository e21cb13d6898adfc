/** The ports for time and chance. The simulator passes its own, so nothing else in this package may read either. */

import { defer } from './turn.ts';

/** A timer's handle: whatever the clock returned. */
export type Timer = unknown;

export interface Clock {
  /** Wall clock, ms since 1970. May jump. */
  now(): number;
  /** Runs `task` once after at least `delayMs`. A pending timer does not keep a process alive. */
  setTimeout(task: () => void, delayMs: number): Timer;
  clearTimeout(timer: Timer): void;
  /** Runs `task` after the present turn of the event loop, when what has arrived was taken in. */
  defer(task: () => void): void;
}

/** Uniform in [0, 1). */
export type Random = () => number;

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout: (task, delayMs) => setTimeout(task, delayMs).unref(),
  clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout),
  defer,
};

/** The machine's chance. */
export const systemRandom: Random = () => Math.random();

const LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789';

/** A random name of `length` characters, 5.17 bits each: 12 make a collision among a million 1 in 10 million. */
export function randomName(random: Random, length: number): string {
  let name = '';
  for (let at = 0; at < length; at++) name += LETTERS[Math.floor(random() * LETTERS.length)]!;
  return name;
}
