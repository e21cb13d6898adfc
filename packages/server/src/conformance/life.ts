/** Conformance of a store's and a topic's life: restart, removal, new epochs, listing, closing. */

import assert from 'node:assert/strict';
import { MiniSequencer, WIDE } from './mini-sequencer.ts';
import { type StoreCase, withStore } from './harness.ts';

export const lifeCases: readonly StoreCase[] = [
  {
    name: 'a restart changes nothing',
    run: async (harness) => {
      let store = await harness.open();
      try {
        const script = new MiniSequencer().found('a', 'e1').found('b', 'e2');
        for (let index = 0; index < 300; index += 1) script.publish(index % 2 ? 'a' : 'b', `${index}`, { producer: `p${index % 5}` });
        await store.apply(script.register('a', 'k', '1').take());
        await store.trim('b', { countMax: 7 });
        const before = [
          await store.read('a', { after: 0 }, WIDE),
          await store.read('b', { after: 0 }, WIDE),
          await store.outcomes('a', 'ann', 'p3'),
        ];
        store = await harness.reopen(store);
        const after = [
          await store.read('a', { after: 0 }, WIDE),
          await store.read('b', { after: 0 }, WIDE),
          await store.outcomes('a', 'ann', 'p3'),
        ];
        assert.deepEqual(after, before);
        await store.apply(script.publish('a', '"and on"', { producer: 'p3' }).take());
        assert.equal((await store.head('a'))?.last, 151);
      } finally {
        await store.close();
      }
    },
  },
  {
    name: 'a removed topic is forgotten, producers and registers too, and founding it anew begins a new epoch',
    run: async (harness) => {
      let store = await harness.open();
      try {
        const script = new MiniSequencer().found('a', 'old').found('b', 'stays').register('a', 'k', '1').publish('b', '"b"');
        for (let index = 0; index < 3000; index += 1) script.publish('a', `${index}`).refuse('a', 'REFUSED', 'no');
        await store.apply(script.take());
        await store.remove('a');
        for (const restarted of [false, true]) {
          if (restarted) store = await harness.reopen(store);
          assert.equal(await store.head('a'), undefined);
          assert.equal(await store.read('a', { after: 0 }, WIDE), undefined);
          assert.equal(await store.outcomes('a', 'ann', 'phone'), undefined);
          assert.deepEqual(await store.registers('a', 0), []);
        }
        await store.apply(script.found('a', 'new').publish('a', '"again"').take());
        assert.deepEqual(await store.head('a'), { epoch: 'new', first: 1, last: 1, revision: 0 });
        assert.equal((await store.outcomes('a', 'ann', 'phone'))?.seq, 1);
        assert.deepEqual(
          (await store.read('a', { after: 0 }, WIDE))?.entries.map(({ payload }) => payload),
          ['"again"'],
        );
        assert.equal((await store.head('b'))?.last, 1);
        store = await harness.reopen(store);
        assert.deepEqual(await store.head('a'), { epoch: 'new', first: 1, last: 1, revision: 0 });
        assert.equal((await store.outcomes('a', 'ann', 'phone'))?.seq, 1);
      } finally {
        await store.close();
      }
    },
  },
  {
    name: 'a topic can be founded anew right behind its removal',
    run: (harness) =>
      withStore(harness, async (store) => {
        const script = new MiniSequencer().found('a', 'old');
        for (let index = 0; index < 3000; index += 1) script.publish('a', `${index}`);
        await store.apply(script.take());
        const removed = store.remove('a');
        const applied = store.apply(script.found('a', 'new').publish('a', '1').take());
        await Promise.all([removed, applied]);
        assert.deepEqual(await store.head('a'), { epoch: 'new', first: 1, last: 1, revision: 0 });
        await store.remove('never founded');
      }),
  },
  {
    name: 'topics are listed in the order of their names, page by page',
    run: (harness) =>
      withStore(harness, async (store) => {
        const script = new MiniSequencer();
        for (const topic of ['b', 'a/2', 'a', 'a/10', 'B', 'c']) script.found(topic);
        await store.apply(script.publish('a/2', '1').publish('a/2', '2').register('b', 'k', '1').take());
        await store.trim('a/2', { countMax: 1 });
        assert.deepEqual(await store.topics(undefined, 3), [
          { topic: 'B', epoch: 'epoch of B', first: 1, last: 0, revision: 0 },
          { topic: 'a', epoch: 'epoch of a', first: 1, last: 0, revision: 0 },
          { topic: 'a/10', epoch: 'epoch of a/10', first: 1, last: 0, revision: 0 },
        ]);
        assert.deepEqual(await store.topics('a/10', 2), [
          { topic: 'a/2', epoch: 'epoch of a/2', first: 2, last: 2, revision: 0 },
          { topic: 'b', epoch: 'epoch of b', first: 1, last: 0, revision: 1 },
        ]);
        assert.deepEqual(
          (await store.topics('bzz', 10)).map(({ topic }) => topic),
          ['c'],
        );
        assert.deepEqual(await store.topics('c', 10), []);
      }),
  },
  {
    name: 'close carries out what was handed in, may be called twice, and everything after it is refused',
    run: async (harness) => {
      let store = await harness.open();
      const script = new MiniSequencer().found('a');
      const applied = Array.from({ length: 20 }, (_, index) => store.apply(script.publish('a', `${index}`).take()));
      const read = store.read('a', { after: 0 }, WIDE);
      await Promise.all([store.close(), store.close()]);
      await Promise.all(applied);
      await read;
      const unavailable = { name: 'HoldfastError', code: 'STORE_UNAVAILABLE' };
      await assert.rejects(store.apply(script.publish('a', '"late"').take()), unavailable);
      await assert.rejects(store.read('a', { after: 0 }, WIDE), unavailable);
      await assert.rejects(store.head('a'), unavailable);
      await assert.rejects(store.outcomes('a', 'ann', 'phone'), unavailable);
      await store.close();
      store = await harness.reopen(store);
      assert.equal((await store.head('a'))?.last, 20);
      await store.close();
    },
  },
];
