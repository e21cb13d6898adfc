/**
 * Seeded chance: everything that a simulation draws. The generator is sfc32 (Chris Doty-Humphrey, PractRand), its state
 * filled by splitmix32; both are 32-bit integer arithmetic only, so every machine draws the same.
 */

/** A stream of random draws. Streams of different names do not disturb each other: one more draw in one leaves the rest alone. */
export class Chance {
  readonly #seed: number;
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number, name = '') {
    this.#seed = seed;
    const fill = splitmix32(hash(`${seed}/${name}`));
    this.#a = fill();
    this.#b = fill();
    this.#c = fill();
    // PractRand's seeding discards the first draws, until the state is mixed.
    for (let round = 0; round < 12; round++) this.next();
  }

  /** A stream of its own for `name`; the same one whatever was drawn before. */
  fork(name: string): Chance {
    return new Chance(this.#seed, name);
  }

  /** Uniform in [0, 1), 32 bits. An arrow, to be handed over as a port. */
  readonly next = (): number => {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  };

  /** True with probability `p`. */
  is(p: number): boolean {
    return this.next() < p;
  }

  /** Uniform between two bounds. */
  between(min: number, max: number): number {
    return min + this.next() * (max - min);
  }

  /** A whole number, both bounds included. */
  integer(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1));
  }

  /** As likely between 1 and 10 as between 10 and 100. */
  logarithmic(min: number, max: number): number {
    return min * (max / min) ** this.next();
  }

  /** Waiting times of independent happenings. At most ten times the mean, so that no run is spent on one wait. */
  exponential(mean: number): number {
    return Math.min(10 * mean, -mean * Math.log(1 - this.next()));
  }

  pick<T>(items: readonly T[]): T {
    return items[this.integer(0, items.length - 1)]!;
  }
}

/** FNV-1a over UTF-16 units. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  return value | 0;
}

function splitmix32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return mixed ^ (mixed >>> 15);
  };
}
