/**
 * A device's outbox on a disk of its own: the client's real memory outbox would be lost with its process; here what was
 * carried out survives it. A write takes time, can fail having stored everything or nothing, and a process that dies
 * before its write was carried out leaves none of it.
 */

import { createMemoryOutbox, type OutboxChanges, type OutboxRecord, type OutboxStore } from '@holdfast/client';
import { HoldfastError } from '@holdfast/wire';
import type { Process } from './process.ts';
import type { Chance } from './random.ts';
import type { Timeline } from './timeline.ts';
import type { Trace } from './trace.ts';

/** How the disk behaves now; may change at any time. */
export interface OutboxHealth {
  meanMs: number;
  /** The share of writes that fail, half of them stored all the same. */
  failures: number;
}

export class OutboxDisk {
  readonly health: OutboxHealth;
  readonly #timeline: Timeline;
  readonly #chance: Chance;
  readonly #trace: Trace;
  /** The real one, never closed: its tables are the disk. */
  readonly #tables: OutboxStore = createMemoryOutbox();
  readonly #onDurable: (changes: OutboxChanges) => void;
  #isOwned = false;

  /** `onDurable`: told of everything that becomes durable. */
  constructor(options: {
    timeline: Timeline;
    chance: Chance;
    trace: Trace;
    health: OutboxHealth;
    onDurable: (changes: OutboxChanges) => void;
  }) {
    this.#timeline = options.timeline;
    this.#chance = options.chance;
    this.#trace = options.trace;
    this.health = options.health;
    this.#onDurable = options.onDurable;
  }

  /** The store as one process sees it. */
  open(process: Process): OutboxStore {
    const tables = this.#tables;
    let carriedOutAtMs = 0;
    let answeredAtMs = 0;
    const carryOut = <T>(what: string, failure: string | undefined, task: () => Promise<T>): Promise<T> => {
      const { meanMs } = this.health;
      carriedOutAtMs = Math.max(carriedOutAtMs, this.#timeline.nowMs) + this.#chance.exponential(meanMs / 2);
      answeredAtMs = Math.max(answeredAtMs, carriedOutAtMs + this.#chance.exponential(meanMs / 2));
      let outcome: Promise<T>;
      this.#timeline.at(carriedOutAtMs, () => {
        if (!process.isAlive) return;
        this.#trace.line(process.name, `outbox ${what}${failure === undefined ? '' : `: ${failure}`}`);
        outcome = failure === 'nothing stored' ? Promise.reject(new HoldfastError('STORE_UNAVAILABLE', 'simulated trouble')) : task();
        outcome.catch(() => {});
      });
      return new Promise((resolve, reject) => {
        this.#timeline.at(answeredAtMs, () =>
          process.run(() => {
            if (failure === 'stored all the same') reject(new HoldfastError('STORE_UNAVAILABLE', 'simulated trouble'));
            else outcome.then(resolve, reject);
          }),
        );
      });
    };
    return {
      isPersistent: true,
      load: () => carryOut('load', undefined, () => this.#load()),
      apply: (changes) => {
        const failure = this.#chance.is(this.health.failures)
          ? this.#chance.is(0.5)
            ? 'nothing stored'
            : 'stored all the same'
          : undefined;
        return carryOut(describe(changes), failure, async () => {
          await tables.apply(changes);
          this.#onDurable(changes);
        });
      },
      close: () => carryOut('close', undefined, async () => {}),
    };
  }

  /** What is on it now. */
  async #load(): Promise<OutboxRecord> {
    // The real store has one owner at a time; the last process' death or end gave it up.
    if (this.#isOwned) await this.#tables.close();
    this.#isOwned = true;
    return this.#tables.load();
  }
}

function describe({ producers = [], rows = [], rowsGone = [] }: OutboxChanges): string {
  const seqs = rows.map(({ id, topic, producer, seq }) => `${id} ${topic}${seq === undefined ? '' : ` ${producer}/${seq}`}`);
  return `puts ${seqs.join(', ') || 'no row'}, removes ${rowsGone.join(' ') || 'none'}, ${producers.length} producers`;
}
