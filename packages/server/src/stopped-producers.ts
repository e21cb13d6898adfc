/**
 * Producers whose last publish was refused as retryable: nothing of theirs may overtake it (PROTOCOL.md HF-6.6). One table for
 * all topics of a node, since who may publish nothing at all can still make up names, in as many topics as it likes.
 */

/** About 40 MB with names of a usual length. */
const COUNT_MAX = 100_000;

export class StoppedProducers {
  readonly #countMax: number;
  /** By topic and producer, with the time (wall clock, ms); who was stopped the longest ago comes first. */
  readonly #atMs = new Map<string, number>();

  /** Beyond `countMax` the oldest is forgotten: seqs are dense, so what overtakes is refused all the same, as a hole instead of as stopped. */
  constructor(countMax: number = COUNT_MAX) {
    this.#countMax = countMax;
  }

  get count(): number {
    return this.#atMs.size;
  }

  has(topic: string, producer: string): boolean {
    return this.#atMs.has(keyOf(topic, producer));
  }

  add(topic: string, producer: string, atMs: number): void {
    const key = keyOf(topic, producer);
    this.#atMs.delete(key);
    this.#atMs.set(key, atMs);
    if (this.#atMs.size > this.#countMax) this.#atMs.delete(this.#atMs.keys().next().value!);
  }

  delete(topic: string, producer: string): void {
    this.#atMs.delete(keyOf(topic, producer));
  }

  /** Forgets one who was stopped before `sinceMs`. */
  deleteBefore(topic: string, producer: string, sinceMs: number): void {
    const key = keyOf(topic, producer);
    if ((this.#atMs.get(key) ?? sinceMs) < sinceMs) this.#atMs.delete(key);
  }

  /** Forgets all of a topic. */
  deleteTopic(topic: string): void {
    const prefix = keyOf(topic, '');
    for (const key of this.#atMs.keys()) if (key.startsWith(prefix)) this.#atMs.delete(key);
  }

  /** Forgets all who were stopped before `sinceMs`. */
  forget(sinceMs: number): void {
    for (const [key, atMs] of this.#atMs) {
      if (atMs >= sinceMs) return;
      this.#atMs.delete(key);
    }
  }
}

/** No topic has a space in its name. */
function keyOf(topic: string, producer: string): string {
  return `${topic} ${producer}`;
}
