/**
 * So many upgrades in a turn of the event loop, the others in their order in the turns that follow: when thousands come back at
 * once, those who are here are served in between.
 */

import type { Duplex } from 'node:stream';
import { systemClock } from './clock.ts';

/** Some milliseconds of work, with what each of them says next. */
const UPGRADES_PER_TURN = 16;

interface Waiting {
  readonly stream: Duplex;
  readonly upgrade: () => void;
}

export class UpgradeQueue {
  #waiting: Waiting[] = [];
  #count = 0;
  #isDue = false;

  /** How many wait. */
  get length(): number {
    return this.#waiting.length;
  }

  /** Runs `upgrade` now or in a later turn; never, if the stream ends before. */
  add(stream: Duplex, upgrade: () => void): void {
    if (!this.#isDue) {
      this.#isDue = true;
      systemClock.defer(() => this.#next());
    }
    if (this.#count < UPGRADES_PER_TURN) {
      this.#count += 1;
      return upgrade();
    }
    // The HTTP server has let go of the socket: an error without a listener would end the process.
    stream.on('error', ignore);
    this.#waiting.push({ stream, upgrade });
  }

  #next(): void {
    this.#isDue = this.#waiting.length > 0;
    this.#count = 0;
    if (!this.#isDue) return;
    systemClock.defer(() => this.#next());
    while (this.#count < UPGRADES_PER_TURN) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#count += 1;
      next.stream.off('error', ignore);
      if (!next.stream.destroyed) next.upgrade();
    }
  }
}

function ignore(): void {}
