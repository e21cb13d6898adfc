/** Inputs worth mutating: each reached a block that none before it had reached. */

import type { Chance } from './chance.ts';
import { encodeInput, type Input } from './input.ts';

const COUNT_MAX = 2_000;
/** What is larger is not kept, bytes: a million keys are made anew. */
const INPUT_BYTES_MAX = 16_384;

export class Corpus {
  readonly #inputs: Input[] = [];
  bytes = 0;

  get inputs(): readonly Input[] {
    return this.#inputs;
  }

  add(input: Input): void {
    const { length } = encodeInput(input);
    if (length > INPUT_BYTES_MAX || this.#inputs.length >= COUNT_MAX) return;
    this.#inputs.push(input);
    this.bytes += length;
  }

  /** The newer ones more often: what they led to has been tried less. */
  pick(chance: Chance): Input | undefined {
    const { length } = this.#inputs;
    return this.#inputs[chance.is(0.3) ? length - 1 - chance.below(Math.min(16, length)) : chance.below(length)];
  }
}
