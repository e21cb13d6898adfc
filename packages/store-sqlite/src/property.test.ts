import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { createMemoryStore, type Batch, type Payload, type TopicStore } from '@holdfast/server';
import { MiniSequencer } from '@holdfast/server/conformance';
import { expect, test } from 'vitest';

import { createSqliteStore } from './index.ts';

const TOPICS = ['a', 'b', 'c/ż'];
const AUTHORS = [
  { subject: 'ann', producer: 'phone' },
  { subject: 'ann', producer: 'tablet' },
  { subject: 'bob', producer: 'phone' },
];

/** Small, so that the window moves in every run. */
const outcomesMax = 4;

interface Publish {
  readonly topic: string;
  readonly author: (typeof AUTHORS)[number];
  readonly at: number;
  /** None: a refusal. */
  readonly payloads: readonly Payload[];
}

type Step =
  | {
      readonly kind: 'apply';
      readonly publishes: readonly Publish[];
      readonly registers: readonly (readonly [string, string])[];
      readonly spoiled: boolean;
    }
  | {
      readonly kind: 'read';
      readonly topic: string;
      readonly after: boolean;
      readonly from: number;
      readonly countMax: number;
      readonly bytesMax: number;
    }
  | { readonly kind: 'look'; readonly topic: string; readonly author: (typeof AUTHORS)[number]; readonly revision: number }
  | { readonly kind: 'topics'; readonly after: string | undefined; readonly countMax: number }
  | { readonly kind: 'trim'; readonly topic: string; readonly countMax?: number; readonly bytesMax?: number; readonly atMin?: number }
  | { readonly kind: 'remove'; readonly topic: string }
  | { readonly kind: 'expire'; readonly at: number }
  | { readonly kind: 'restart' };

const topic = fc.constantFrom(...TOPICS);
const author = fc.constantFrom(...AUTHORS);
const at = fc.integer({ min: 0, max: 50 });
const payload: fc.Arbitrary<Payload> = fc.oneof(fc.json({ maxDepth: 1 }), fc.uint8Array({ maxLength: 20 }));
const publish: fc.Arbitrary<Publish> = fc.record({ topic, author, at, payloads: fc.array(payload, { maxLength: 3 }) });

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('apply' as const),
      publishes: fc.array(publish, { maxLength: 8 }),
      registers: fc.array(fc.tuple(topic, fc.constantFrom('k', 'l')), { maxLength: 3 }),
      spoiled: fc.integer({ min: 0, max: 5 }).map((dice) => dice === 0),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('read' as const),
      topic,
      after: fc.boolean(),
      from: fc.integer({ min: -2, max: 40 }),
      countMax: fc.integer({ min: 0, max: 12 }),
      bytesMax: fc.integer({ min: 0, max: 120 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('look' as const), topic, author, revision: fc.integer({ min: 0, max: 5 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('topics' as const),
      after: fc.option(topic, { nil: undefined }),
      countMax: fc.integer({ min: 0, max: 4 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record(
      {
        kind: fc.constant('trim' as const),
        topic,
        countMax: fc.integer({ min: 0, max: 12 }),
        bytesMax: fc.integer({ min: 0, max: 150 }),
        atMin: at,
      },
      { requiredKeys: ['kind', 'topic'] },
    ),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const), topic }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('expire' as const), at }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'restart' as const }) },
);

/** The batch of a step: as dense as the reference's state asks, or, spoiled, with its last offset one too high. */
async function batchOf(step: Extract<Step, { kind: 'apply' }>, reference: TopicStore, epoch: string): Promise<Batch> {
  const script = new MiniSequencer();
  for (const name of TOPICS) {
    const head = await reference.head(name);
    if (head) script.goOn(name, head.last, head.revision);
    else script.found(name, `${epoch} ${name}`);
    for (const who of AUTHORS) script.goOnProducer(name, (await reference.outcomes(name, who.subject, who.producer))?.seq ?? 0, who);
  }
  for (const { topic: name, payloads, ...rest } of step.publishes) {
    const who = { ...rest.author, at: rest.at };
    if (payloads.length === 0) script.refuse(name, 'REFUSED', `at ${rest.at}`, who);
    else script.publish(name, payloads, who);
  }
  for (const [name, key] of step.registers) script.register(name, key, `${step.publishes.length}`);
  const batch = script.take();
  if (!step.spoiled) return batch;
  const last = batch.publishes.findLastIndex(({ outcome }) => outcome.kind === 'accepted');
  return {
    ...batch,
    publishes: batch.publishes.map((decided, index) =>
      index === last && decided.outcome.kind === 'accepted'
        ? { ...decided, outcome: { ...decided.outcome, offset: decided.outcome.offset + 1 } }
        : decided,
    ),
  };
}

async function answer(store: TopicStore, step: Exclude<Step, { kind: 'apply' | 'restart' }>): Promise<unknown> {
  switch (step.kind) {
    case 'read':
      return plain(await store.read(step.topic, step.after ? { after: step.from } : { before: step.from }, step));
    case 'look':
      return [
        await store.head(step.topic),
        await store.outcomes(step.topic, step.author.subject, step.author.producer),
        await store.registers(step.topic, step.revision),
      ];
    case 'topics':
      return store.topics(step.after, step.countMax);
    case 'trim':
      return store.trim(step.topic, step);
    case 'remove':
      return store.remove(step.topic);
    case 'expire':
      return store.expireProducers(step.at);
  }
}

/** Bytes of either class as arrays, for comparing. */
function plain(page: Awaited<ReturnType<TopicStore['read']>>): unknown {
  return (
    page && {
      ...page,
      entries: page.entries.map((entry) => (typeof entry.payload === 'string' ? entry : { ...entry, payload: [...entry.payload] })),
    }
  );
}

test('whatever is asked, SQLite answers as the memory store does', { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60 }), async (steps) => {
      const directory = await mkdtemp(join(tmpdir(), 'holdfast-property-'));
      const reference = createMemoryStore({ outcomesMax });
      let store = await createSqliteStore({ directory, outcomesMax, synchronous: 'normal' });
      try {
        for (const [index, step] of steps.entries()) {
          if (step.kind === 'restart') {
            await store.close();
            store = await createSqliteStore({ directory, outcomesMax, synchronous: 'normal' });
          } else if (step.kind === 'apply') {
            const batch = await batchOf(step, reference, `e${index}`);
            const [expected, seen] = await Promise.allSettled([reference.apply(batch), store.apply(batch)]);
            expect(seen.status).toBe(expected.status);
          } else expect(await answer(store, step)).toEqual(await answer(reference, step));
        }
        for (const name of TOPICS) {
          const all: Step = { kind: 'read', topic: name, after: true, from: 0, countMax: 1e6, bytesMax: 1e9 };
          expect(await answer(store, all)).toEqual(await answer(reference, all));
          for (const who of AUTHORS) {
            const look: Step = { kind: 'look', topic: name, author: who, revision: 0 };
            expect(await answer(store, look)).toEqual(await answer(reference, look));
          }
        }
      } finally {
        await store.close();
        await rm(directory, { recursive: true, force: true });
      }
    }),
    { numRuns: 12 },
  );
});
