/**
 * A consumer in an application: it follows a topic, takes its time over each item, stores its position, leaves and comes
 * back to it. What it stored survives its process, like the row of a database; what it held in hand does not.
 */

import type { Client, Item, TopicReader } from '@holdfast/client';
import type { Position } from '@holdfast/wire';
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
}

export class Consumer {
  readonly topic: string;
  readonly #options: ConsumerOptions;
  readonly #witness: Witness;
  #stored: Position | undefined;
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
    return `${this.#options.name} of ${this.topic} at ${JSON.stringify(this.#reader?.position ?? this.#stored)}`;
  }

  /** Goes on from what it stored. */
  join(client: Client, process: Process): void {
    const { last, windowCount: window } = this.#options;
    const start = this.#stored === undefined ? { last } : { position: this.#stored };
    this.#options.trace.line(this.#options.name, `joins ${this.topic} ${JSON.stringify(start)}`);
    const reader = client.topic(this.topic).items({ ...start, window });
    this.#reader = reader;
    this.#witness.begin(this.#stored);
    this.#openCount += 1;
    void this.#follow(reader, process).then(
      () => (this.#openCount -= 1),
      (error: unknown) => this.#options.verdict.violated('no-error-escapes', `the iteration of ${this.place} ended with ${String(error)}`),
    );
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
    const { chance, itemMs, trace, name } = this.#options;
    for (;;) {
      const asked = reader.next();
      if (this.#reader === reader) {
        this.#stored = reader.position ?? this.#stored;
        this.#witness.asked(reader.position);
      }
      const { done, value } = await asked;
      if (done === true) return;
      // One that has left looks at nothing any more.
      if (this.#reader !== reader) continue;
      trace.line(name, `sees ${describe(value)}`);
      this.#witness.deliver(value, reader.position);
      if (itemMs > 0) await process.sleep(chance.exponential(itemMs));
    }
  }
}

function describe(item: Item): string {
  if (item.type === 'entry') return `entry ${item.offset} ${item.producer}/${item.seq}`;
  if (item.type === 'gap') return `gap ${item.reason} ${JSON.stringify(item.before)} ${JSON.stringify(item.after)}`;
  return `register ${item.key} ${JSON.stringify(item.value)} ${item.revision}`;
}
