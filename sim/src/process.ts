/**
 * A process of the simulated world: a wall clock of its own, timers, and a life that can end or stand still at any moment.
 * Whatever belongs to a process reaches it through `run` or its timers, so that a dead one never acts again: promises
 * that it waited for stay unsettled, as if its memory were gone.
 */

import type { Chance } from './random.ts';
import type { Scheduled, Timeline } from './timeline.ts';

/** Where wall clocks begin, ms since 1970. */
const BEGINNING_MS = 1_767_225_600_000;

/** A machine's clock; its processes come and go. */
export interface WallClock {
  /** How far it is ahead of the true time, ms. */
  skewMs: number;
}

/** The server's and the client's clock port in one. */
export class Process {
  readonly name: string;
  readonly #timeline: Timeline;
  readonly #chance: Chance;
  readonly #timers = new Set<Scheduled>();
  readonly #wallClock: WallClock;
  readonly #turnMaxMs: number;
  #isAlive = true;
  #isFrozen = false;
  #isThawing = false;
  #backlog: (() => void)[] = [];
  #deferredAtMs = 0;

  /** `turnMaxMs`: how long a turn of its event loop takes at the most; what arrives within one is taken in before what was deferred. */
  constructor(name: string, timeline: Timeline, chance: Chance, wallClock: WallClock, turnMaxMs: number = 0) {
    this.name = name;
    this.#timeline = timeline;
    this.#chance = chance;
    this.#wallClock = wallClock;
    this.#turnMaxMs = turnMaxMs;
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  /** Timers that are set and have not fired. */
  get timerCount(): number {
    return this.#timers.size;
  }

  now(): number {
    return Math.floor(BEGINNING_MS + this.#timeline.nowMs + this.#wallClock.skewMs);
  }

  setTimeout(task: () => void, delayMs: number): Scheduled {
    // A timer that fell due while the process stood still can still be cleared.
    const fire = (): void => {
      if (this.#timers.delete(timer)) task();
    };
    const timer = this.#timeline.after(delayMs, () => this.run(fire));
    this.#timers.add(timer);
    return timer;
  }

  clearTimeout(timer: unknown): void {
    const set = timer as Scheduled | undefined;
    if (set === undefined) return;
    set.cancel();
    this.#timers.delete(set);
  }

  defer(task: () => void): void {
    // Deferred tasks keep their order, like those of `setImmediate`.
    this.#deferredAtMs = Math.max(this.#deferredAtMs, this.#timeline.nowMs + this.#chance.between(0, this.#turnMaxMs));
    this.#timeline.at(this.#deferredAtMs, () => this.run(task));
  }

  /** The application's own patience, no timer of the library: resolves after a delay, or never if the process dies before. */
  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.#timeline.after(delayMs, () => this.run(resolve)));
  }

  /** Something reaches the process: now, when it is thawed, or never. */
  run(task: () => void): void {
    if (!this.#isAlive) return;
    if (this.#isFrozen) this.#backlog.push(task);
    else task();
  }

  kill(): void {
    this.#isAlive = false;
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
    this.#backlog = [];
    this.#isThawing = false;
  }

  /** Stands still, like a phone in a pocket; its clock goes on. */
  freeze(): void {
    this.#isFrozen = true;
    this.#isThawing = false;
  }

  /** Goes on: what came meanwhile comes first, each in a turn of its own, in order. */
  thaw(): void {
    if (!this.#isFrozen || this.#isThawing) return;
    this.#isThawing = true;
    this.#timeline.after(0, () => this.#catchUp());
  }

  /** What arrives before the backlog is empty goes behind it. */
  #catchUp(): void {
    if (!this.#isThawing) return;
    const task = this.#backlog.shift();
    if (task === undefined) this.#isFrozen = this.#isThawing = false;
    else {
      this.#timeline.after(0, () => this.#catchUp());
      task();
    }
  }
}
