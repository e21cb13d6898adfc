/** Conformance of `apply`: order, density, atomicity, several topics, many calls at once. */

import assert from 'node:assert/strict';
import type { Batch, TopicStore } from '../store.ts';
import { MiniSequencer, WIDE } from './mini-sequencer.ts';
import { type StoreCase, withStore } from './harness.ts';

export const applyCases: readonly StoreCase[] = [
  {
    name: 'a founded topic is empty: first 1, last 0, revision 0, and nothing is known of any other',
    run: (harness) =>
      withStore(harness, async (store) => {
        await store.apply(new MiniSequencer().found('a', 'e1').take());
        assert.deepEqual(await store.head('a'), { epoch: 'e1', first: 1, last: 0, revision: 0 });
        assert.equal(await store.head('b'), undefined);
        assert.equal(await store.read('b', { after: 0 }, WIDE), undefined);
        assert.equal(await store.outcomes('b', 'ann', 'phone'), undefined);
        assert.deepEqual(await store.registers('b', 0), []);
      }),
  },
  {
    name: 'entries come back in the order of the batch, with all that was said of them',
    run: (harness) =>
      withStore(harness, async (store) => {
        const script = new MiniSequencer().found('a', 'e1').publish('a', '"one"', { at: 1000 });
        script.publish('a', ['"two"', new Uint8Array([3, 0, 255])], { subject: 'bob', producer: 'tablet', at: 2000 });
        await store.apply(script.take());
        assert.deepEqual(await store.read('a', { after: 0 }, WIDE), {
          epoch: 'e1',
          first: 1,
          last: 3,
          revision: 0,
          entries: [
            { offset: 1, producer: 'phone', seq: 1, from: 'ann', at: 1000, payload: '"one"' },
            { offset: 2, producer: 'tablet', seq: 1, from: 'bob', at: 2000, payload: '"two"' },
            { offset: 3, producer: 'tablet', seq: 1, from: 'bob', at: 2000, payload: new Uint8Array([3, 0, 255]) },
          ],
        });
      }),
  },
  {
    name: 'a batch spans topics, and each has its own offsets',
    run: (harness) =>
      withStore(harness, async (store) => {
        const script = new MiniSequencer().found('a').found('b');
        for (let round = 0; round < 50; round += 1) script.publish('a', `"a${round}"`).publish('b', [`"b${round}"`, '0']);
        await store.apply(script.take());
        assert.equal((await store.head('a'))?.last, 50);
        assert.equal((await store.head('b'))?.last, 100);
        assert.equal(await textAt(store, 'a', 50), '"a49"');
        assert.equal(await textAt(store, 'b', 99), '"b49"');
      }),
  },
  {
    name: 'many batches handed in without awaiting are carried out in that order',
    run: (harness) =>
      withStore(harness, async (store) => {
        const script = new MiniSequencer().found('a').found('b');
        const done: number[] = [];
        const applied = Array.from({ length: 500 }, (_, index) => {
          script.publish('a', `${index}`);
          if (index % 3 === 0) script.publish('b', `${index}`);
          return store.apply(script.take()).then(() => done.push(index));
        });
        await Promise.all(applied);
        assert.deepEqual(
          done,
          done.toSorted((one, other) => one - other),
          'resolved in order',
        );
        const page = await store.read('a', { after: 0 }, WIDE);
        assert.deepEqual(
          page?.entries.map((entry) => entry.payload),
          Array.from({ length: 500 }, (_, index) => `${index}`),
        );
        assert.equal((await store.head('b'))?.last, 167);
      }),
  },
  {
    name: 'a batch that is not dense is refused whole, and the next one is not disturbed',
    run: (harness) =>
      withStore(harness, async (store) => {
        const script = new MiniSequencer().found('a').publish('a', '"first"').register('a', 'k', '1');
        await store.apply(script.take());
        for (const [name, batch] of Object.entries(notDense())) {
          await assert.rejects(store.apply(batch), { name: 'Error' }, name);
          assert.deepEqual(await store.head('a'), { epoch: 'epoch of a', first: 1, last: 1, revision: 1 }, name);
          assert.equal(await store.head('new'), undefined, name);
          assert.equal((await store.outcomes('a', 'ann', 'phone'))?.seq, 1, name);
          assert.equal(await store.outcomes('a', 'ann', 'other'), undefined, name);
        }
        await store.apply(script.publish('a', '"second"').register('a', 'k', '2').take());
        assert.deepEqual(await store.head('a'), { epoch: 'epoch of a', first: 1, last: 2, revision: 2 });
      }),
  },
  {
    name: 'a refused batch among queued ones takes nothing else with it',
    run: (harness) =>
      withStore(harness, async (store) => {
        const script = new MiniSequencer().found('a').found('b').publish('a', '1');
        const first = store.apply(script.take());
        const bad = store.apply(new MiniSequencer().goOn('b', 7, 0).publish('b', '"hole"').take());
        const second = store.apply(script.publish('a', '2').publish('b', '1').take());
        await assert.rejects(bad, { name: 'Error' });
        await Promise.all([first, second]);
        assert.equal((await store.head('a'))?.last, 2);
        assert.equal((await store.head('b'))?.last, 1);
      }),
  },
  {
    name: 'an empty batch resolves and changes nothing',
    run: (harness) =>
      withStore(harness, async (store) => {
        await store.apply({ found: [], publishes: [], registers: [] });
        assert.deepEqual(await store.topics(undefined, 10), []);
      }),
  },
];

/** Batches on a topic `a` with last 1, revision 1 and ann's phone at seq 1; each is whole but for one mistake. */
function notDense(): Record<string, Batch> {
  const goOn = (): MiniSequencer => new MiniSequencer().goOn('a', 1, 1).goOnProducer('a', 1);
  const other = { producer: 'other' };
  return {
    'an offset left out': goOn().found('new').goOn('a', 2, 1).publish('a', '1', other).take(),
    'an offset used twice': goOn().found('new').goOn('a', 0, 1).publish('a', '1', other).take(),
    'an offset left out behind a good publish': goOn().publish('a', '1', other).goOn('a', 3, 1).publish('a', '1', other).take(),
    'a seq left out': goOn().goOnProducer('a', 2).publish('a', '1').take(),
    'a seq used twice': goOn().goOnProducer('a', 0).publish('a', '1').take(),
    'a seq left out by a refusal': goOn().goOnProducer('a', 2).refuse('a', 'REFUSED', 'no').take(),
    'an unknown producer above seq 1': goOn().goOnProducer('a', 1, other).publish('a', '1', other).take(),
    'a revision left out': goOn().publish('a', '1', other).goOn('a', 2, 2).register('a', 'k', '2').take(),
    'a revision used twice': goOn().goOn('a', 1, 0).register('a', 'k', '2').take(),
    'a topic that was never founded': goOn().publish('a', '1', other).publish('new', '1').take(),
    'a register of a topic that was never founded': goOn().register('new', 'k', '1').take(),
    'a topic founded twice': goOn().publish('a', '1', other).found('a').take(),
    'a topic founded twice in one batch': new MiniSequencer().found('new').found('new').take(),
    'fewer payloads than counted': withPayloads(goOn().publish('a', ['1', '2'], other).take(), ['1']),
    'payloads of a refusal': withPayloads(goOn().refuse('a', 'REFUSED', 'no', other).take(), ['1']),
    'an accepted publish of nothing': goOn().publish('a', [], other).take(),
  };
}

function withPayloads(batch: Batch, payloads: readonly string[]): Batch {
  return { ...batch, publishes: batch.publishes.map((publish) => ({ ...publish, payloads })) };
}

async function textAt(store: TopicStore, topic: string, offset: number): Promise<unknown> {
  const page = await store.read(topic, { after: offset - 1 }, { countMax: 1, bytesMax: 1000 });
  return page?.entries[0]?.payload;
}
