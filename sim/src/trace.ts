/** What happened, line by line: a running hash that tells whether two runs were the same, and the text if somebody looks. */

import { createHash, type Hash } from 'node:crypto';
import type { Timeline } from './timeline.ts';

export class Trace {
  readonly #timeline: Timeline;
  readonly #print: ((line: string) => void) | undefined;
  readonly #hash: Hash = createHash('sha256');

  /** `print`: gets every line. */
  constructor(timeline: Timeline, print: ((line: string) => void) | undefined) {
    this.#timeline = timeline;
    this.#print = print;
  }

  /** `who`: a process, `net`, `disk`, `weather`. */
  line(who: string, what: string): void {
    const text = `${this.#timeline.nowMs.toFixed(3)} ${who} ${what}`;
    this.#hash.update(text);
    this.#print?.(text);
  }

  /** Ends it: 16 hexadecimal digits of SHA-256 over all lines. */
  digest(): string {
    return this.#hash.digest('hex').slice(0, 16);
  }
}
