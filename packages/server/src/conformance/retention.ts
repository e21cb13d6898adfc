/** Conformance of `trim`: by count, bytes and age, from the oldest on, offsets never used again. */

import assert from 'node:assert/strict';
import type { TopicStore } from '../store.ts';
import { MiniSequencer, WIDE } from './mini-sequencer.ts';
import { type StoreCase, withStore } from './harness.ts';

export const retentionCases: readonly StoreCase[] = [
  {
    name: 'trimming by count keeps the newest, and a page asked for below begins later: a gap',
    run: (harness) =>
      withStore(harness, async (store) => {
        await fill(store, 10);
        assert.deepEqual(await store.trim('a', { countMax: 4 }), { epoch: 'epoch of a', first: 7, last: 10, revision: 0 });
        const page = await store.read('a', { after: 2 }, { countMax: 2, bytesMax: 1000 });
        assert.deepEqual([page?.first, page?.last, page?.entries.map(({ offset }) => offset)], [7, 10, [7, 8]]);
        assert.deepEqual(
          (await store.read('a', { before: 9 }, WIDE))?.entries.map(({ offset }) => offset),
          [7, 8],
        );
        assert.deepEqual((await store.read('a', { before: 7 }, WIDE))?.entries, []);
        assert.deepEqual(await store.trim('a', { countMax: 4 }), { epoch: 'epoch of a', first: 7, last: 10, revision: 0 });
        assert.deepEqual(await store.trim('a', {}), { epoch: 'epoch of a', first: 7, last: 10, revision: 0 });
      }),
  },
  {
    name: 'trimming by bytes keeps the newest that fit',
    run: (harness) =>
      withStore(harness, async (store) => {
        await fill(store, 10, () => 100);
        assert.equal((await store.trim('a', { bytesMax: 1000 }))?.first, 1);
        assert.equal((await store.trim('a', { bytesMax: 999 }))?.first, 2);
        assert.equal((await store.trim('a', { bytesMax: 250 }))?.first, 9);
        assert.equal((await store.trim('a', { bytesMax: 100 }))?.first, 10);
        assert.deepEqual(await store.trim('a', { bytesMax: 99 }), { epoch: 'epoch of a', first: 11, last: 10, revision: 0 });
      }),
  },
  {
    name: 'trimming by bytes counts across restarts',
    run: async (harness) => {
      let store = await harness.open();
      try {
        const script = await fill(store, 5, () => 100);
        store = await harness.reopen(store);
        for (let index = 0; index < 5; index += 1) script.publish('a', new Uint8Array(10));
        await store.apply(script.take());
        assert.equal((await store.trim('a', { bytesMax: 550 }))?.first, 1);
        assert.equal((await store.trim('a', { bytesMax: 250 }))?.first, 4);
        assert.equal((await store.trim('a', { bytesMax: 49 }))?.first, 7);
      } finally {
        await store.close();
      }
    },
  },
  {
    name: 'trimming by age goes up to the first entry that is young enough',
    run: (harness) =>
      withStore(harness, async (store) => {
        // The clock is set back at offset 6: offset 8 is old by the clock, and stays behind the younger offset 5.
        const times = [10, 20, 30, 40, 50, 15, 16, 17];
        await fill(store, 8, undefined, (index) => times[index] ?? 0);
        assert.equal((await store.trim('a', { atMin: 10 }))?.first, 1);
        assert.equal((await store.trim('a', { atMin: 30 }))?.first, 3);
        assert.equal((await store.trim('a', { atMin: 45 }))?.first, 5);
        assert.equal((await store.trim('a', { atMin: 51 }))?.first, 9);
      }),
  },
  {
    name: 'an entry goes when any bound says so',
    run: (harness) =>
      withStore(harness, async (store) => {
        await fill(
          store,
          10,
          () => 10,
          (index) => index,
        );
        assert.equal((await store.trim('a', { countMax: 9, bytesMax: 1000, atMin: 0 }))?.first, 2);
        assert.equal((await store.trim('a', { countMax: 9, bytesMax: 80, atMin: 0 }))?.first, 3);
        assert.equal((await store.trim('a', { countMax: 9, bytesMax: 80, atMin: 5 }))?.first, 6);
      }),
  },
  {
    name: 'trimming everything keeps last: offsets go on after it, also after a restart',
    run: async (harness) => {
      let store = await harness.open();
      try {
        const script = await fill(store, 5000);
        await store.apply(script.register('a', 'k', '1').take());
        assert.deepEqual(await store.trim('a', { countMax: 0 }), { epoch: 'epoch of a', first: 5001, last: 5000, revision: 1 });
        for (const restarted of [false, true]) {
          if (restarted) store = await harness.reopen(store);
          assert.deepEqual(await store.head('a'), { epoch: 'epoch of a', first: 5001, last: 5000, revision: 1 });
          assert.deepEqual(await store.read('a', { after: 0 }, WIDE), {
            epoch: 'epoch of a',
            first: 5001,
            last: 5000,
            revision: 1,
            entries: [],
          });
        }
        await store.apply(script.publish('a', '"next"').take());
        assert.deepEqual(await store.head('a'), { epoch: 'epoch of a', first: 5001, last: 5001, revision: 1 });
        assert.equal((await store.trim('a', { bytesMax: 6 }))?.first, 5001);
        assert.equal((await store.trim('a', { bytesMax: 5 }))?.first, 5002);
        assert.equal((await store.registers('a', 0)).length, 1, 'registers stay');
      } finally {
        await store.close();
      }
    },
  },
  {
    name: 'publishing goes on while a long log is trimmed',
    run: (harness) =>
      withStore(harness, async (store) => {
        const script = await fill(store, 20_000);
        const trimmed = store.trim('a', { countMax: 10 });
        const applied = Array.from({ length: 50 }, (_, index) => store.apply(script.publish('a', `"during ${index}"`).take()));
        assert.ok(((await trimmed)?.first ?? 0) >= 19_991);
        await Promise.all(applied);
        const page = await store.read('a', { after: 0 }, WIDE);
        assert.equal(page?.last, 20_050);
        assert.equal(page?.entries[0]?.offset, page?.first);
        assert.equal(page?.entries.length, 20_051 - (page?.first ?? 0));
      }),
  },
  {
    name: 'a topic that was never founded has nothing to trim',
    run: (harness) =>
      withStore(harness, async (store) => {
        assert.equal(await store.trim('a', { countMax: 0 }), undefined);
      }),
  },
];

async function fill(store: TopicStore, count: number, bytes?: () => number, at?: (index: number) => number): Promise<MiniSequencer> {
  const script = new MiniSequencer().found('a');
  for (let index = 0; index < count; index += 1) {
    script.publish('a', bytes ? new Uint8Array(bytes()) : `${index}`, at ? { at: at(index) } : {});
  }
  await store.apply(script.take());
  return script;
}
