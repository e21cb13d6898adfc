/**
 * The program that is killed, and the check of what it left. Every payload names its batch and the number of entries in
 * that batch, so that what is found tells by itself whether batches are whole and in order.
 */

import assert from 'node:assert/strict';
import type { Entry, TopicStore } from '../store.ts';
import { MiniSequencer, WIDE } from './mini-sequencer.ts';

const TOPICS = ['kill/0', 'kill/1', 'kill/2', 'kill/3', 'kill/4'];
/** More than one, so that commits and queued batches are there to be cut at any moment. */
const IN_FLIGHT = 4;

/** Writes random batches for ever, going on from what the store holds; calls `acknowledge(number)` after each apply. */
export async function writeUntilKilled(store: TopicStore, acknowledge: (batch: number) => void, seed: number): Promise<never> {
  const random = seededRandom(seed);
  const script = new MiniSequencer();
  for (const topic of TOPICS) {
    const head = await store.head(topic);
    if (head) script.goOn(topic, head.last, head.revision);
    else script.found(topic);
    script.goOnProducer(topic, (await store.outcomes(topic, 'ann', 'phone'))?.seq ?? 0);
  }
  let number = await batchNumber(store);
  const lanes = Array.from({ length: IN_FLIGHT }, async () => {
    for (;;) {
      const batch = (number += 1);
      const sizes = Array.from({ length: 1 + Math.floor(random() * 12) }, () => Math.floor(random() * 4));
      const entryCount = 1 + sizes.reduce((sum, size) => sum + size, 0);
      const payload = JSON.stringify({ batch, entryCount, text: 'x'.repeat(Math.floor(random() * 400)) });
      script.publish(TOPICS[0]!, payload).register(TOPICS[0]!, 'batch', `${batch}`);
      for (const size of sizes) {
        const topic = TOPICS[Math.floor(random() * TOPICS.length)]!;
        if (size === 0) script.refuse(topic, 'REFUSED', `in batch ${batch}`);
        else script.publish(topic, Array<string>(size).fill(payload));
      }
      await store.apply(script.take());
      acknowledge(batch);
    }
  });
  await Promise.all(lanes);
  throw new Error('The lanes never end.');
}

/** What must be true of the store that a killed writer left, if `acknowledged` was its last acknowledged batch. */
export async function assertNothingLost(store: TopicStore, acknowledged: number): Promise<void> {
  const seen = new Map<number, { count: number; entryCount: number }>();
  for (const topic of TOPICS) {
    const page = await store.read(topic, { after: 0 }, WIDE);
    assert.ok(page, `${topic} is there`);
    assert.deepEqual(
      page.entries.map(({ offset }) => offset),
      Array.from({ length: page.last }, (_, index) => index + 1),
      `${topic} is dense`,
    );
    for (const { payload } of page.entries) {
      const { batch, entryCount } = JSON.parse(payload as string) as { batch: number; entryCount: number };
      const row = seen.get(batch) ?? { count: 0, entryCount };
      row.count += 1;
      seen.set(batch, row);
    }
    await assertOutcomesMatch(store, topic, page.entries);
  }
  const stored = await batchNumber(store);
  assert.ok(stored >= acknowledged, `batch ${acknowledged} was acknowledged, the store ends with ${stored}`);
  assert.equal(seen.size, stored, 'the batches are a prefix of what was written');
  for (const [batch, { count, entryCount }] of seen) assert.equal(count, entryCount, `batch ${batch} is whole`);
}

async function assertOutcomesMatch(store: TopicStore, topic: string, entries: readonly Entry[]): Promise<void> {
  const memory = await store.outcomes(topic, 'ann', 'phone');
  const lastSeq = entries.at(-1)?.seq ?? 0;
  assert.ok((memory?.seq ?? 0) >= lastSeq, `the producer's memory in ${topic} is as new as its log`);
  if (!memory) return;
  assert.deepEqual(
    memory.recent.map(({ seq }) => seq),
    Array.from({ length: memory.recent.length }, (_, index) => memory.seq - memory.recent.length + 1 + index),
  );
  assert.equal(memory.recent.length, Math.min(memory.seq, store.outcomesMax));
  for (const { seq, digest, outcome } of memory.recent) {
    assert.equal(digest, `digest phone ${seq}`);
    const stored = entries.filter((entry) => entry.seq === seq).map(({ offset }) => offset);
    const decided = outcome.kind === 'refused' ? [] : Array.from({ length: outcome.count }, (_, index) => outcome.offset + index);
    assert.deepEqual(stored, decided, `seq ${seq} of ${topic}`);
  }
}

async function batchNumber(store: TopicStore): Promise<number> {
  const register = (await store.registers(TOPICS[0]!, 0)).find(({ key }) => key === 'batch');
  return Number(register?.value ?? 0);
}

/** Mulberry32: small, seeded, good enough to choose with. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
