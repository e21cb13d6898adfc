/** The inputs of the present world in a file, each written before it is taken: what is left when the process is not. */

import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { lineOf, type Input } from './input.ts';

export class BlackBox {
  readonly #file: number;
  #at = 0;

  constructor(path: string) {
    this.#file = openSync(path, 'w');
  }

  /** A new world begins. */
  clear(): void {
    ftruncateSync(this.#file, 0);
    this.#at = 0;
  }

  add(input: Input): void {
    this.#at += writeSync(this.#file, `${lineOf(input)}\n`, this.#at);
  }

  close(): void {
    closeSync(this.#file);
  }
}
