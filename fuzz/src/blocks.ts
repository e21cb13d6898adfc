/** The counters of all instrumented modules of this process, and what an input reached that nothing had reached before. */

import { isInScope } from './scopes.ts';

const BLOCKS_MAX = 65_536;

interface Module {
  readonly name: string;
  readonly base: number;
  readonly count: number;
}

/** Set before an instrumented module is loaded; there is one for the process. */
export class Blocks {
  readonly #hit = new Uint8Array(BLOCKS_MAX);
  readonly #seen = new Uint8Array(BLOCKS_MAX);
  readonly #modules: Module[] = [];
  readonly #scope: readonly string[];
  #used = 0;

  /** Only modules of the scope are counted (`scopes.ts`). */
  constructor(scope: readonly string[]) {
    this.#scope = scope;
    (globalThis as { holdfastBlocks?: (name: string, count: number) => Uint8Array }).holdfastBlocks = (name, count) =>
      this.#add(name, count);
  }

  #add(name: string, count: number): Uint8Array {
    if (!isInScope(name, this.#scope) || this.#used + count > BLOCKS_MAX) return new Uint8Array(count);
    this.#modules.push({ name, base: this.#used, count });
    this.#used += count;
    return this.#hit.subarray(this.#used - count, this.#used);
  }

  /** How many blocks there are, and how many were reached. */
  get total(): number {
    return this.#used;
  }

  get reached(): number {
    let sum = 0;
    for (let at = 0; at < this.#used; at++) sum += this.#seen[at]!;
    return sum;
  }

  /** Forgets what ran since the last call; says how many blocks of it are new, and remembers them. */
  take(): number {
    let fresh = 0;
    for (let at = 0; at < this.#used; at++) {
      if (this.#hit[at] === 0) continue;
      this.#hit[at] = 0;
      if (this.#seen[at] === 1) continue;
      this.#seen[at] = 1;
      fresh += 1;
    }
    return fresh;
  }

  /** For each module, what of it was reached. */
  byModule(): readonly { readonly name: string; readonly reached: number; readonly count: number }[] {
    return this.#modules.map(({ name, base, count }) => {
      const reached = this.#seen.subarray(base, base + count).reduce((sum, one) => sum + one, 0);
      return { name, reached, count };
    });
  }
}
