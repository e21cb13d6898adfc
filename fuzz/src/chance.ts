/** Seeded chance: everything that a run draws. sfc32 (Chris Doty-Humphrey, PractRand), 32-bit integers only: every machine draws the same. */

export class Chance {
  #a: number;
  #b = 0x9e3779b9 | 0;
  #c = 0x243f6a88 | 0;
  #counter = 1;

  /** `stream` tells streams of one seed apart. */
  constructor(seed: number, stream = '') {
    this.#a = seed | 0;
    for (const character of stream) this.#b = Math.imul(this.#b ^ character.codePointAt(0)!, 0x01000193);
    for (let round = 0; round < 15; round++) this.next();
  }

  /** Uniform in [0, 1). An arrow, to be handed over as a port. */
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

  /** A whole number from 0 to below `count`. */
  below(count: number): number {
    return Math.floor(this.next() * count);
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)]!;
  }

  /** So many random bytes. */
  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.below(256));
  }
}
