/**
 * Producers whose last publish was refused as retryable: nothing of theirs may overtake it (PROTOCOL.md HF-6.6). One table for
 * all topics of a node, since who may publish nothing at all can still make up names, in as many topics as it likes.
 */

/** About 40 MB with names of a usual length. */
const COUNT_MAX = 100_000;
/** After so many sweeps, a second apart, whoever was stopped has long lost the connection on which a later seq could still be under way. */
const SWEEPS_MAX = 60;

interface Stopped {
  /** Wall clock, ms. */
  readonly atMs: number;
  /** The number of the sweep before it. */
  readonly sweep: number;
}

export class StoppedProducers {
  readonly #countMax: number;
  /** By topic and producer; who was stopped the longest ago comes first. */
  readonly #stopped = new Map<string, Stopped>();
  #sweep = 0;

  /** Beyond `countMax` the oldest is forgotten: seqs are dense, so what overtakes is refused all the same, as a hole instead of as stopped. */
  constructor(countMax: number = COUNT_MAX) {
    this.#countMax = countMax;
  }

  get count(): number {
    return this.#stopped.size;
  }

  has(topic: string, producer: string): boolean {
    return this.#stopped.has(keyOf(topic, producer));
  }

  add(topic: string, producer: string, atMs: number): void {
    const key = keyOf(topic, producer);
    this.#stopped.delete(key);
    this.#stopped.set(key, { atMs, sweep: this.#sweep });
    if (this.#stopped.size > this.#countMax) this.#stopped.delete(this.#stopped.keys().next().value!);
  }

  delete(topic: string, producer: string): void {
    this.#stopped.delete(keyOf(topic, producer));
  }

  /** Forgets one who was stopped before `sinceMs`. */
  deleteBefore(topic: string, producer: string, sinceMs: number): void {
    const key = keyOf(topic, producer);
    if ((this.#stopped.get(key)?.atMs ?? sinceMs) < sinceMs) this.#stopped.delete(key);
  }

  /** Forgets all of a topic. */
  deleteTopic(topic: string): void {
    const prefix = keyOf(topic, '');
    for (const key of this.#stopped.keys()) if (key.startsWith(prefix)) this.#stopped.delete(key);
  }

  /**
   * One step of forgetting who was stopped long ago, to be taken about every second. By the number of steps and not by the clock: one
   * that is set anew would forget those whose later seqs are still under way.
   */
  sweep(): void {
    this.#sweep += 1;
    for (const [key, { sweep }] of this.#stopped) {
      if (this.#sweep - sweep < SWEEPS_MAX) return;
      this.#stopped.delete(key);
    }
  }
}

/** No topic has a space in its name. */
function keyOf(topic: string, producer: string): string {
  return `${topic} ${producer}`;
}
