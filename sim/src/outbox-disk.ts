/**
 * The outboxes of one browser, or of one installation, on a disk of their own. As in IndexedDB each process has a slot with
 * the client's real memory outbox in it, which would be lost with the process; here what was carried out survives it. A
 * slot whose process is gone goes to the next one that starts, or to a live one beside it, rows and producers and all. A
 * write takes time, can fail having stored everything or nothing, and a process that dies before its write was carried
 * out leaves none of it.
 */

import { createMemoryOutbox, type OutboxChanges, type OutboxHeir, type OutboxRecord, type OutboxStore } from '@holdfast/client';
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

export interface OutboxDiskOptions {
  readonly timeline: Timeline;
  readonly chance: Chance;
  readonly trace: Trace;
  readonly health: OutboxHealth;
  /** Told of everything that becomes durable. */
  readonly onDurable: (changes: OutboxChanges) => void;
}

/** One process's outbox: who has it, and what is in it. */
interface Slot {
  owner: Process | undefined;
  readonly tables: OutboxStore;
}

interface Waiter {
  readonly process: Process;
  readonly inherit: (slot: Slot) => void;
}

/** One thing after the other, as one process's store does it. */
type CarryOut = <T>(what: string, failure: string | undefined, task: () => Promise<T>) => Promise<T>;

export class OutboxDisk {
  readonly health: OutboxHealth;
  readonly #options: OutboxDiskOptions;
  #slots: Slot[] = [];
  #waiters: Waiter[] = [];

  constructor(options: OutboxDiskOptions) {
    this.#options = options;
    this.health = options.health;
  }

  /** What is on it by now, for another device. `onCopied`: told of each record. */
  async copy(options: OutboxDiskOptions, onCopied: (record: OutboxRecord) => void): Promise<OutboxDisk> {
    const copy = new OutboxDisk(options);
    for (const { tables } of this.#slots) {
      const record = await recordOf(tables);
      const slot: Slot = { owner: undefined, tables: await emptyTables() };
      await slot.tables.apply(changesOf(record));
      copy.#slots.push(slot);
      onCopied(record);
    }
    return copy;
  }

  /** A process is gone, in whatever way: what it had is free. */
  released(process: Process): void {
    this.#waiters = this.#waiters.filter((waiter) => waiter.process !== process);
    for (const slot of this.#slots) if (slot.owner === process) slot.owner = undefined;
    this.#offer();
  }

  /** The store as one process sees it. */
  open(process: Process): OutboxStore {
    let own: Slot | undefined;
    const carryOut = this.#queue(process);
    return {
      isPersistent: true,
      load: () =>
        carryOut('load', undefined, async () => {
          const [first, ...others] = this.#slots.filter(({ owner }) => owner === undefined);
          own = first ?? { owner: process, tables: await emptyTables() };
          own.owner = process;
          if (first === undefined) this.#slots.push(own);
          for (const slot of others) await this.#move(slot, own, undefined);
          return recordOf(own.tables);
        }),
      apply: (changes) => {
        const failure = this.#failure();
        return carryOut(describe(changes), failure, async () => {
          await own!.tables.apply(changes);
          this.#options.onDurable(changes);
        });
      },
      watch: (heir) => {
        const inherit = (slot: Slot): void => void this.#inherit(slot, own!, heir, carryOut);
        this.#waiters.push({ process, inherit });
        this.#offer();
      },
      close: () => carryOut('close', undefined, async () => this.released(process)),
    };
  }

  /** Free slots go to whoever waits, the longest first; on its next turn. */
  #offer(): void {
    this.#options.timeline.after(1, () => {
      const [waiter] = this.#waiters;
      waiter?.process.run(() => {
        for (const slot of this.#slots) {
          if (slot.owner !== undefined) continue;
          slot.owner = waiter.process;
          waiter.inherit(slot);
        }
      });
    });
  }

  /** What `outbox-indexeddb.ts` does when a lock that it waited for comes free. */
  async #inherit(slot: Slot, own: Slot, heir: OutboxHeir, carryOut: CarryOut): Promise<void> {
    const left = await carryOut('looks at what another has left', undefined, () => recordOf(slot.tables));
    const firstId = heir.reserveIds(left.rows.length);
    if (firstId === undefined) return;
    heir.adopted(await carryOut(`takes over ${left.rows.length} rows`, undefined, () => this.#move(slot, own, firstId)));
  }

  /** Moves all of a slot behind what another holds, at once. */
  async #move(from: Slot, to: Slot, firstId: number | undefined): Promise<Pick<OutboxRecord, 'producers' | 'rows'>> {
    const { producers, rows } = await recordOf(from.tables);
    const begin = firstId ?? ((await recordOf(to.tables)).rows.at(-1)?.id ?? 0) + 1;
    const moved = { producers, rows: rows.map((row, at) => ({ ...row, id: begin + at })) };
    await to.tables.apply(moved);
    this.#slots = this.#slots.filter((slot) => slot !== from);
    return moved;
  }

  #failure(): string | undefined {
    const { chance } = this.#options;
    if (!chance.is(this.health.failures)) return undefined;
    return chance.is(0.5) ? 'nothing stored' : 'stored all the same';
  }

  #queue(process: Process): CarryOut {
    const { timeline, chance, trace } = this.#options;
    let carriedOutAtMs = 0;
    let answeredAtMs = 0;
    return <T>(what: string, failure: string | undefined, task: () => Promise<T>): Promise<T> => {
      const { meanMs } = this.health;
      carriedOutAtMs = Math.max(carriedOutAtMs, timeline.nowMs) + chance.exponential(meanMs / 2);
      answeredAtMs = Math.max(answeredAtMs, carriedOutAtMs + chance.exponential(meanMs / 2));
      let outcome: Promise<T>;
      timeline.at(carriedOutAtMs, () => {
        if (!process.isAlive) return;
        trace.line(process.name, `outbox ${what}${failure === undefined ? '' : `: ${failure}`}`);
        outcome = failure === 'nothing stored' ? Promise.reject(new HoldfastError('STORE_UNAVAILABLE', 'simulated trouble')) : task();
        outcome.catch(() => {});
      });
      return new Promise((resolve, reject) => {
        timeline.at(answeredAtMs, () =>
          process.run(() => {
            if (failure === 'stored all the same') reject(new HoldfastError('STORE_UNAVAILABLE', 'simulated trouble'));
            else outcome.then(resolve, reject);
          }),
        );
      });
    };
  }
}

/** An open memory outbox: its tables are the slot. */
async function emptyTables(): Promise<OutboxStore> {
  const tables = createMemoryOutbox();
  await tables.load();
  return tables;
}

/** The real store has one owner at a time, and tells what it holds to the next one only. */
async function recordOf(tables: OutboxStore): Promise<OutboxRecord> {
  await tables.close();
  return tables.load();
}

function changesOf({ identity, producers, rows }: OutboxRecord): OutboxChanges {
  return { ...(identity === undefined ? {} : { identity }), producers, rows };
}

function describe({ producers = [], rows = [], rowsGone = [] }: OutboxChanges): string {
  const seqs = rows.map(({ id, topic, producer, seq }) => `${id} ${topic}${seq === undefined ? '' : ` ${producer}/${seq}`}`);
  return `puts ${seqs.join(', ') || 'no row'}, removes ${rowsGone.join(' ') || 'none'}, ${producers.length} producers`;
}
