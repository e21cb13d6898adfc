/**
 * A consumer in an application: it follows a topic, takes its time over each item, stores its position, leaves and comes
 * back to it. What it stored survives its process, like the row of a database; what it held in hand does not. Beside its
 * position it keeps a fold of what it saw, and stores both together as its checkpoint.
 */

import type { Client, Item, TopicReader } from '@holdfast/client';
import { HoldfastError, type Position } from '@holdfast/wire';
import type { Fold } from './fold.ts';
import type { Process } from './process.ts';
import type { Chance } from './random.ts';
import type { Trace } from './trace.ts';
import { Witness, type WitnessOptions } from './witness.ts';

export interface ConsumerOptions extends WitnessOptions {
  readonly trace: Trace;
  readonly chance: Chance;
  /** Begin with the newest entries, this many; `undefined`: at the head. */
  readonly last: number | undefined;
  readonly windowCount: number | undefined;
  /** The mean time that an item takes, ms; 0: none. */
  readonly itemMs: number;
  /** Every how many items it stores where it is. */
  readonly checkpointCount: number;
  /** Whether its right to read was ever taken: then an iteration may end with that. */
  readonly wasForbidden: () => boolean;
}

/** How many old checkpoints are kept. */
const CHECKPOINTS_MAX = 8;

export class Consumer {
  readonly topic: string;
  readonly #options: ConsumerOptions;
  readonly #witness: Witness;
  #stored: { readonly position: Position; readonly fold: Fold | undefined } | undefined;
  /** Earlier ones, to begin again from. */
  #checkpoints: { readonly position: Position; readonly fold: Fold }[] = [];
  #processedCount = 0;
  /** Instead of `itemMs`, while somebody holds it up. */
  slowMs: number | undefined;
  #reader: TopicReader | undefined;
  /** Iterations that have not ended, in the present process. */
  #openCount = 0;

  constructor(options: ConsumerOptions) {
    this.topic = options.topic;
    this.#options = options;
    this.#witness = new Witness(options);
  }

  get isReading(): boolean {
    return this.#reader !== undefined;
  }

  get openCount(): number {
    return this.#openCount;
  }

  get hasArrived(): boolean {
    return this.#reader !== undefined && this.#witness.hasArrived(this.#reader.position);
  }

  /** For a report: where it is. */
  get place(): string {
    return `${this.#options.name} of ${this.topic} at ${JSON.stringify(this.#reader?.position ?? this.#stored?.position)}`;
  }

  /** Goes on from what it stored. */
  join(client: Client, process: Process): void {
    const { last, windowCount: window } = this.#options;
    const start = this.#stored === undefined ? { last } : { position: this.#stored.position };
    this.#options.trace.line(this.#options.name, `joins ${this.topic} ${JSON.stringify(start)}`);
    const reader = client.topic(this.topic).items({ ...start, window });
    this.#reader = reader;
    this.#witness.begin(this.#stored?.position, this.#stored?.fold);
    this.#openCount += 1;
    void this.#follow(reader, process).then(
      () => (this.#openCount -= 1),
      (error: unknown) => this.#failed(reader, error),
    );
  }

  #failed(reader: TopicReader, error: unknown): void {
    this.#openCount -= 1;
    if (this.#reader === reader) this.#reader = undefined;
    const isLegal = error instanceof HoldfastError && error.code === 'FORBIDDEN' && this.#options.wasForbidden();
    this.#options.verdict.expect(isLegal, 'no-error-escapes', () => `the iteration of ${this.place} ended with ${String(error)}`);
  }

  /** Throws away what it made of the log since some checkpoint, as a projection does that is built anew. */
  rewind(): void {
    const checkpoint = this.#checkpoints.length === 0 ? undefined : this.#options.chance.pick(this.#checkpoints);
    if (checkpoint === undefined) return;
    this.#options.tally.count('fold built anew');
    this.#stored = checkpoint;
  }

  /** Decision 20, once it has arrived. */
  compareFold(): void {
    this.#witness.compareFold();
  }

  #store(position: Position): void {
    const { fold } = this.#witness;
    this.#stored = { position, fold };
    if (fold === undefined) return;
    this.#checkpoints.push({ position, fold });
    if (this.#checkpoints.length > CHECKPOINTS_MAX) this.#checkpoints.shift();
  }

  leave(): void {
    this.#options.trace.line(this.#options.name, `leaves ${this.topic}`);
    const reader = this.#reader;
    this.#reader = undefined;
    reader?.close();
  }

  /** Its process died. */
  die(): void {
    this.#reader = undefined;
    this.#openCount = 0;
  }

  /** Its client was closed. */
  ended(): void {
    this.#reader = undefined;
  }

  async #follow(reader: TopicReader, process: Process): Promise<void> {
    const { chance, checkpointCount, trace, name } = this.#options;
    for (;;) {
      const asked = reader.next();
      if (this.#reader === reader) {
        const { position } = reader;
        if (position !== undefined && this.#processedCount++ % checkpointCount === 0) this.#store(position);
        this.#witness.asked(reader.position);
      }
      const { done, value } = await asked;
      if (done === true) return;
      // One that has left looks at nothing any more.
      if (this.#reader !== reader) continue;
      trace.line(name, `sees ${describe(value)}`);
      this.#witness.deliver(value, reader.position);
      const itemMs = this.slowMs ?? this.#options.itemMs;
      if (itemMs === 0) continue;
      // The application's own time, not the library's: it may outlast the client.
      this.#openCount -= 1;
      await process.sleep(chance.exponential(itemMs));
      this.#openCount += 1;
    }
  }
}

function describe(item: Item): string {
  if (item.type === 'entry') return `entry ${item.offset} ${item.producer}/${item.seq}`;
  if (item.type === 'gap') return `gap ${item.reason} ${JSON.stringify(item.before)} ${JSON.stringify(item.after)}`;
  return `register ${item.key} ${JSON.stringify(item.value)} ${item.revision}`;
}
