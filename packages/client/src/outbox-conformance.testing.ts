/** What every outbox store must do, whatever it is made of. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Data } from '@holdfast/wire';
import { OutboxTables } from './outbox-memory.ts';
import type { OutboxChanges, OutboxStore, ProducerRecord, RowRecord } from './outbox.ts';

/** One place where a record can live. */
export interface OutboxPlace {
  /** A store over the place, as a new process or tab would make it. */
  open(): OutboxStore;
}

export function row(id: number, more: Partial<RowRecord> = {}): RowRecord {
  return { id, topic: 'chat/1', items: [{ id }], at: 1_000 + id, ...more };
}

export function producer(name: string, more: Partial<ProducerRecord> = {}): ProducerRecord {
  return { subject: 'alice', topic: 'chat/1', producer: name, nextSeq: 1, at: 5, ...more };
}

/** Expects `OutboxStore`'s contract of what `place` makes. Each test gets a place of its own. */
export function describeOutbox(name: string, place: () => OutboxPlace | Promise<OutboxPlace>): void {
  describe(`${name} as an outbox`, () => {
    const reopened = async (here: OutboxPlace, store: OutboxStore): Promise<ReturnType<OutboxStore['load']>> => {
      await store.close();
      const next = here.open();
      const record = await next.load();
      await next.close();
      return record;
    };

    it('begins empty', async () => {
      const store = (await place()).open();
      expect(await store.load()).toEqual({ identity: undefined, producers: [], rows: [] });
      await store.close();
    });

    it('gives back what was put, to the next owner', async () => {
      const here = await place();
      const store = here.open();
      await store.load();
      const first = row(1, { subject: 'alice', ifHead: 3, expiresAtMs: 9, producer: 'p', seq: 4, epoch: 'e', isUncertain: true });
      await store.apply({
        identity: { client: 'tab-1', subject: 'a b' },
        producers: [producer('p', { nextSeq: 5, epoch: 'e' })],
        rows: [first, row(2)],
      });
      expect(await reopened(here, store)).toEqual({
        identity: { client: 'tab-1', subject: 'a b' },
        producers: [producer('p', { nextSeq: 5, epoch: 'e' })],
        rows: [first, row(2)],
      });
    });

    it('replaces by key and removes by key', async () => {
      const here = await place();
      const store = here.open();
      await store.load();
      const others = [producer('p', { subject: 'bob' }), producer('p', { topic: 'chat/2' }), producer('q')];
      await store.apply({ identity: { client: 'a' }, producers: [producer('p'), ...others], rows: [row(1), row(2), row(3)] });
      await store.apply({
        identity: { client: 'b' },
        producers: [producer('q', { nextSeq: 7 })],
        producersGone: [producer('p')],
        rows: [row(2, { topic: 'other' })],
        rowsGone: [1],
      });
      const record = await reopened(here, store);
      expect(record.identity).toEqual({ client: 'b' });
      expect(new Set(record.producers)).toEqual(new Set([others[0], others[1], producer('q', { nextSeq: 7 })]));
      expect(record.rows).toEqual([row(2, { topic: 'other' }), row(3)]);
    });

    it('gives rows in the order of their ids, however they were put', async () => {
      const here = await place();
      const store = here.open();
      await store.load();
      await store.apply({ rows: [row(10), row(2)] });
      await store.apply({ rows: [row(100), row(1)] });
      expect((await reopened(here, store)).rows.map(({ id }) => id)).toEqual([1, 2, 10, 100]);
    });

    it('keeps payloads byte for byte', async () => {
      const here = await place();
      const store = here.open();
      await store.load();
      const items: Data[] = [
        null,
        '',
        'é\u2028\u0000😀',
        [1, -1.5, 1e300],
        { a: { b: [] } },
        new Uint8Array(),
        Uint8Array.from({ length: 256 }, (_, at) => at),
      ];
      await store.apply({ rows: [row(1, { items })] });
      expect((await reopened(here, store)).rows[0]?.items).toEqual(items);
    });

    it('carries out calls in their order, awaited or not', async () => {
      const here = await place();
      const store = here.open();
      const calls: Promise<unknown>[] = [store.load()];
      for (let n = 1; n <= 20; n++) calls.push(store.apply({ rows: [row(1, { at: n })], identity: { client: `c${n}` } }));
      calls.push(store.close());
      await Promise.all(calls);
      const next = here.open();
      expect(await next.load()).toMatchObject({ identity: { client: 'c20' }, rows: [{ at: 20 }] });
      await next.close();
    });

    it('is closed afterwards, and may be closed twice', async () => {
      const store = (await place()).open();
      await store.load();
      await store.close();
      await store.close();
      await expect(store.apply({ rows: [row(1)] })).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    });

    it('refuses a second load of the same object while it is owned', async () => {
      const store = (await place()).open();
      await store.load();
      await expect(store.load()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
      await store.close();
      await expect(store.load()).resolves.toBeDefined();
      await store.close();
    });

    it('holds what a model holds after any changes and reopenings', async () => {
      const id = fc.integer({ min: 1, max: 6 });
      const names = fc.constantFrom('p', 'q');
      const changes = fc.record(
        {
          identity: fc.record({ client: names }),
          producers: fc.uniqueArray(fc.record({ name: names, nextSeq: fc.nat() }), { selector: ({ name: key }) => key, maxLength: 2 }),
          producersGone: fc.uniqueArray(names, { maxLength: 2 }),
          rows: fc.uniqueArray(fc.record({ id, at: fc.nat() }), { selector: (one) => one.id, maxLength: 4 }),
          rowsGone: fc.uniqueArray(id, { maxLength: 3 }),
        },
        { requiredKeys: [] },
      );
      const steps = fc.array(fc.oneof({ weight: 5, arbitrary: changes }, { weight: 1, arbitrary: fc.constant('reopen' as const) }), {
        maxLength: 12,
      });
      await fc.assert(
        fc.asyncProperty(steps, async (script) => {
          const here = await place();
          const model = new OutboxTables();
          let store = here.open();
          await store.load();
          for (const step of script) {
            if (step === 'reopen') {
              await store.close();
              store = here.open();
              await store.load();
              continue;
            }
            const { producers, producersGone, rows, identity, rowsGone } = step;
            const change: OutboxChanges = {
              ...(identity === undefined ? {} : { identity }),
              ...(rowsGone === undefined ? {} : { rowsGone }),
              ...(producers === undefined ? {} : { producers: producers.map(({ name: key, nextSeq }) => producer(key, { nextSeq })) }),
              ...(producersGone === undefined ? {} : { producersGone: producersGone.map((key) => producer(key)) }),
              ...(rows === undefined ? {} : { rows: rows.map((one) => row(one.id, { at: one.at })) }),
            };
            model.apply(change);
            await store.apply(change);
          }
          const { producers, ...record } = await reopened(here, store);
          const { producers: wanted, ...others } = model.record();
          expect(record).toEqual(others);
          expect(new Set(producers)).toEqual(new Set(wanted));
        }),
        { numRuns: 40 },
      );
    });
  });
}
