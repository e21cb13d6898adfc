/** Conformance of `read`: both ways, every bound, and payloads byte for byte. */

import assert from 'node:assert/strict';
import type { PageLimits, Payload, Range, TopicStore } from '../store.ts';
import { MiniSequencer, WIDE } from './mini-sequencer.ts';
import { type StoreCase, withStore } from './harness.ts';

export const readCases: readonly StoreCase[] = [
  {
    name: 'a page after an offset ascends from the next one, a page before it ascends up to the one below',
    run: (harness) =>
      withStore(harness, async (store) => {
        await fill(store, 10);
        assert.deepEqual(await offsets(store, { after: 0 }, { countMax: 3 }), [1, 2, 3]);
        assert.deepEqual(await offsets(store, { after: 7 }, { countMax: 100 }), [8, 9, 10]);
        assert.deepEqual(await offsets(store, { before: 11 }, { countMax: 3 }), [8, 9, 10]);
        assert.deepEqual(await offsets(store, { before: 3 }, { countMax: 100 }), [1, 2]);
      }),
  },
  {
    name: 'beyond either end there is nothing, and the page still carries the head',
    run: (harness) =>
      withStore(harness, async (store) => {
        await fill(store, 5);
        for (const range of [{ after: 5 }, { after: 500 }, { before: 1 }, { before: 0 }, { before: -7 }]) {
          assert.deepEqual(await store.read('a', range, WIDE), { epoch: 'epoch of a', first: 1, last: 5, revision: 0, entries: [] });
        }
        assert.deepEqual(await offsets(store, { after: -7 }, { countMax: 2 }), [1, 2]);
        assert.deepEqual(await offsets(store, { before: 500 }, { countMax: 2 }), [4, 5]);
        assert.deepEqual(await offsets(store, { after: 0 }, { countMax: 0 }), []);
      }),
  },
  {
    name: 'a page holds what fits in its bytes, and at least one entry',
    run: (harness) =>
      withStore(harness, async (store) => {
        const script = new MiniSequencer().found('a');
        for (const size of [10, 10, 500, 10, 10]) script.publish('a', new Uint8Array(size));
        await store.apply(script.take());
        assert.deepEqual(await offsets(store, { after: 0 }, { bytesMax: 20 }), [1, 2]);
        assert.deepEqual(await offsets(store, { after: 0 }, { bytesMax: 519 }), [1, 2]);
        assert.deepEqual(await offsets(store, { after: 0 }, { bytesMax: 520 }), [1, 2, 3]);
        assert.deepEqual(await offsets(store, { after: 2 }, { bytesMax: 1 }), [3]);
        assert.deepEqual(await offsets(store, { before: 6 }, { bytesMax: 20 }), [4, 5]);
        assert.deepEqual(await offsets(store, { before: 4 }, { bytesMax: 1 }), [3]);
        assert.deepEqual(await offsets(store, { after: 0 }, { bytesMax: 0 }), [1]);
      }),
  },
  {
    name: 'the size of JSON is counted in UTF-8',
    run: (harness) =>
      withStore(harness, async (store) => {
        // 3, 4, 5 and 6 bytes with the quotes: one, two, three and four bytes of UTF-8 in between.
        await store.apply(
          new MiniSequencer().found('a').publish('a', '"a"').publish('a', '"é"').publish('a', '"€"').publish('a', '"🦆"').take(),
        );
        assert.deepEqual(await offsets(store, { after: 0 }, { bytesMax: 17 }), [1, 2, 3]);
        assert.deepEqual(await offsets(store, { after: 0 }, { bytesMax: 18 }), [1, 2, 3, 4]);
      }),
  },
  {
    name: 'JSON comes back as the text that it was, and bytes as bytes',
    run: async (harness) => {
      let store = await harness.open();
      const payloads: Payload[] = [
        '{"b":1,"a":2,"b":3}',
        ' [ 1.0 , 1e400 ,\n -0 ] ',
        '"\\ud800 \\udfff \\u0000 \\/"',
        '"żółć 漢字 \u2028 \u2029 \u0085 🦆👩‍👩‍👧‍👦 \ufeff"',
        '"a\u0000b"',
        '12345678901234567890.12345678901234567890',
        'null',
        '',
        new Uint8Array(0),
        new Uint8Array([0]),
        new Uint8Array([0, 0, 0, 255, 254, 128, 0]),
        Uint8Array.from({ length: 70_000 }, (_, index) => index * 31),
        JSON.stringify('long '.repeat(20_000)),
      ];
      try {
        const script = new MiniSequencer().found('a');
        for (const payload of payloads) script.publish('a', payload);
        await store.apply(script.take());
        await assertPayloads(store, payloads);
        store = await harness.reopen(store);
        await assertPayloads(store, payloads);
      } finally {
        await store.close();
      }
    },
  },
  {
    name: 'bytes that are a window on a larger buffer are stored as the window',
    run: (harness) =>
      withStore(harness, async (store) => {
        const buffer = new Uint8Array(100_000).fill(7);
        buffer.set([1, 2, 3], 50_000);
        await store.apply(new MiniSequencer().found('a').publish('a', buffer.subarray(50_000, 50_003)).take());
        await assertPayloads(store, [new Uint8Array([1, 2, 3])]);
      }),
  },
  {
    name: 'names, subjects and producers of any characters are kept apart',
    run: (harness) =>
      withStore(harness, async (store) => {
        const script = new MiniSequencer().found("it's").found('it"s').found('tést/%_').found('TÉST/%_');
        script.publish("it's", '1', { subject: 'a', producer: 'bc' }).publish("it's", '2', { subject: 'ab', producer: 'c' });
        script.publish('tést/%_', '3', { subject: '漢\n字', producer: "'; drop table log; --" });
        await store.apply(script.take());
        assert.deepEqual(await offsets(store, { after: 0 }, {}, "it's"), [1, 2]);
        assert.deepEqual(await offsets(store, { after: 0 }, {}, 'it"s'), []);
        assert.deepEqual(await offsets(store, { after: 0 }, {}, 'TÉST/%_'), []);
        assert.equal((await store.outcomes("it's", 'a', 'bc'))?.recent[0]?.digest, 'digest bc 1');
        assert.equal((await store.outcomes("it's", 'ab', 'c'))?.recent[0]?.digest, 'digest c 1');
        const [entry] = (await store.read('tést/%_', { after: 0 }, WIDE))?.entries ?? [];
        assert.deepEqual(entry, { offset: 1, producer: "'; drop table log; --", seq: 1, from: '漢\n字', at: 3, payload: '3' });
      }),
  },
];

async function fill(store: TopicStore, count: number): Promise<void> {
  const script = new MiniSequencer().found('a');
  for (let index = 1; index <= count; index += 1) script.publish('a', `${index}`);
  await store.apply(script.take());
}

async function offsets(store: TopicStore, range: Range, limits: Partial<PageLimits>, topic: string = 'a'): Promise<number[] | undefined> {
  const page = await store.read(topic, range, { ...WIDE, ...limits });
  return page?.entries.map((entry) => entry.offset);
}

async function assertPayloads(store: TopicStore, payloads: readonly Payload[]): Promise<void> {
  const page = await store.read('a', { after: 0 }, WIDE);
  const seen = page?.entries.map(({ payload }) => (typeof payload === 'string' ? payload : Uint8Array.from(payload)));
  assert.deepEqual(seen, payloads);
}
