/** The outbox in memory: the reference for the other two. It outlives a client that is given it, and ends with the process. */

import { HoldfastError } from '@holdfast/wire';
import {
  producerKey,
  type OutboxChanges,
  type OutboxIdentity,
  type OutboxRecord,
  type OutboxStore,
  type ProducerRecord,
  type RowRecord,
} from './outbox.ts';

/** A record as maps, to which changes are applied. */
export class OutboxTables {
  identity: OutboxIdentity | undefined;
  readonly producers: Map<string, ProducerRecord> = new Map();
  readonly rows: Map<number, RowRecord> = new Map();

  apply({ identity, producers = [], producersGone = [], rows = [], rowsGone = [] }: OutboxChanges): void {
    if (identity !== undefined) this.identity = identity;
    for (const producer of producersGone) this.producers.delete(producerKey(producer));
    for (const producer of producers) this.producers.set(producerKey(producer), producer);
    for (const id of rowsGone) this.rows.delete(id);
    for (const row of rows) this.rows.set(row.id, row);
  }

  record(): OutboxRecord {
    return {
      identity: this.identity,
      producers: [...this.producers.values()],
      rows: [...this.rows.values()].sort((a, b) => a.id - b.id),
    };
  }
}

/** An outbox that lives as long as the object; one client at a time may own it. */
export function createMemoryOutbox(): OutboxStore {
  const tables = new OutboxTables();
  let isOwned = false;
  return {
    isPersistent: false,
    load: async () => {
      if (isOwned) throw new HoldfastError('STORE_UNAVAILABLE', 'the outbox has an owner already');
      isOwned = true;
      return tables.record();
    },
    apply: async (changes) => {
      if (!isOwned) throw new HoldfastError('STORE_UNAVAILABLE', 'the outbox is closed');
      tables.apply(changes);
    },
    close: async () => {
      isOwned = false;
    },
  };
}
