/**
 * The promise itself, by chance: whatever the network, the server and the outbox's disk do, and wherever the process dies,
 * each publish stands in the log exactly once and in order, and each reader sees the log without a hole or a repetition.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Client } from './client.ts';
import type { Item } from './item.ts';
import { createMemoryOutbox } from './outbox-memory.ts';
import type { OutboxStore } from './outbox.ts';
import { seededRandom } from './virtual-clock.testing.ts';
import { outcome, World } from './world.testing.ts';

const TOPICS = ['chat/1', 'chat/2'];

/** A disk that takes its time, fails now and then, and stops for ever when its process dies. */
class Disk {
  readonly #world: World;
  readonly #random: () => number;
  readonly #store = createMemoryOutbox();
  failing = 0;

  constructor(world: World, seed: number) {
    this.#world = world;
    this.#random = seededRandom(seed);
  }

  /** What one process sees of it, and how that ends. */
  async mount(): Promise<{ readonly store: OutboxStore; die(): void }> {
    await this.#store.close();
    let isAlive = true;
    const store: OutboxStore = {
      isPersistent: true,
      load: () => this.#store.load(),
      close: () => (isAlive ? this.#store.close() : Promise.resolve()),
      apply: async (changes) => {
        if (this.#random() < 0.3)
          await new Promise<void>((resolve) => this.#world.clock.setTimeout(resolve, Math.floor(this.#random() * 20)));
        if (!isAlive) await new Promise(() => {});
        if (this.failing > 0) {
          this.failing -= 1;
          // A failed write may have happened.
          if (this.#random() < 0.5) await this.#store.apply(changes);
          throw new Error('disk');
        }
        await this.#store.apply(changes);
      },
    };
    return { store, die: () => (isAlive = false) };
  }
}

type Step =
  | { readonly do: 'publish'; readonly topic: number; readonly count: number; readonly isBad: boolean; readonly isBytes: boolean }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'cut'; readonly isSilent: boolean }
  | { readonly do: 'refuse'; readonly count: number; readonly stores: boolean }
  | { readonly do: 'disk'; readonly count: number }
  | { readonly do: 'die' }
  | { readonly do: 'append'; readonly topic: number };

const publish = fc.record({
  do: fc.constant('publish' as const),
  topic: fc.nat(TOPICS.length - 1),
  count: fc.constantFrom(1, 1, 1, 3),
  isBad: fc.nat(9).map((n) => n === 0),
  isBytes: fc.nat(5).map((n) => n === 0),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: publish },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(0, 1, 2, 3, 5, 20, 100, 1_000) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('cut' as const), isSilent: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('refuse' as const), count: fc.integer({ min: 1, max: 3 }), stores: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('disk' as const), count: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 1, arbitrary: fc.constant({ do: 'die' as const }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('append' as const), topic: fc.nat(TOPICS.length - 1) }) },
);

/** One publish as the test knows it. */
interface Sent {
  readonly topic: string;
  readonly first: number;
  readonly count: number;
  readonly isBad: boolean;
  readonly outcome: ReturnType<typeof outcome<{ readonly offset: number; readonly epoch: string }>>;
  /** Its process died before it was settled: whether it had reached the disk cannot be known. */
  isOrphan: boolean;
}

class Trial {
  readonly world: World;
  readonly disk: Disk;
  readonly sent: Sent[] = [];
  client!: Client;
  refusals = 0;
  #stores = false;
  #die: () => void = () => {};
  #next = 1;
  readonly #random: () => number;

  constructor(seed: number) {
    this.world = new World(seed);
    this.#random = seededRandom(seed + 1);
    this.world.network.delayMs = () => 1 + Math.floor(this.#random() * 8);
    this.world.server.limits = { ...this.world.server.limits, inFlightMax: 3 };
    this.world.server.heartbeatMs = 1_000;
    this.disk = new Disk(this.world, seed + 2);
    this.world.server.onPublish = ({ items }) => {
      if (items[0] === 'bad') return { code: 'REFUSED' };
      if (this.refusals > 0) {
        this.refusals -= 1;
        return { code: this.#stores ? 'STORE_UNAVAILABLE' : 'OVERLOADED', retryable: true, store: this.#stores };
      }
      return undefined;
    };
  }

  async start(): Promise<void> {
    const { store, die } = await this.disk.mount();
    this.#die = die;
    this.client = this.world.client({ store });
  }

  async run(one: Step): Promise<void> {
    switch (one.do) {
      case 'publish':
        return this.#publish(one);
      case 'wait':
        return this.advance(one.ms);
      case 'cut':
        return this.world.network.cut(one.isSilent);
      case 'refuse':
        this.refusals = one.count;
        this.#stores = one.stores;
        return;
      case 'disk':
        this.disk.failing = one.count;
        return;
      case 'append':
        this.world.server.append(TOPICS[one.topic]!, 'other');
        return;
      case 'die':
        this.#die();
        this.world.network.cut(true);
        for (const sent of this.sent) sent.isOrphan ||= sent.outcome.value === undefined && sent.outcome.code === undefined;
        return this.start();
    }
  }

  /** The server beats, so that only cuts are silent. */
  async advance(ms: number): Promise<void> {
    for (let left = ms; left > 0 || left === ms; left -= 400) {
      for (const connection of this.world.server.connections) connection.send({ type: 'ping' });
      await this.world.clock.advance(Math.min(left, 400));
      if (left === 0) return;
    }
  }

  #publish({ topic: at, count, isBad, isBytes }: Extract<Step, { do: 'publish' }>): void {
    const topic = TOPICS[at]!;
    const first = this.#next;
    this.#next += count;
    const numbers = Array.from({ length: count }, (_, n) => first + n);
    const items = isBad ? ['bad', first] : numbers.map((n) => (isBytes ? Uint8Array.of(n >> 8, n & 255) : n));
    const promise = isBad || count > 1 ? this.client.topic(topic).publishAll(items) : this.client.topic(topic).publish(items[0]!);
    this.sent.push({ topic, first, count: isBad ? 0 : count, isBad, outcome: outcome(promise), isOrphan: false });
  }

  /** The numbers in a topic's log that this client published. */
  stored(topic: string): number[] {
    const { entries } = this.world.server.log(topic);
    return entries
      .filter(({ from }) => from === 'alice')
      .map(({ data }) => (data instanceof Uint8Array ? (data[0]! << 8) + data[1]! : (data as number)));
  }

  async finish(): Promise<void> {
    this.refusals = 0;
    this.disk.failing = 0;
    for (let round = 0; round < 60 && this.client.status.getSnapshot().queuedCount > 0; round++) await this.advance(2_000);
    expect(this.client.status.getSnapshot()).toMatchObject({ queuedCount: 0, uncertainCount: 0 });
  }

  async close(): Promise<void> {
    const closing = this.client.close();
    await this.world.clock.advance(100);
    await closing;
  }
}

function expectExactlyOnce(trial: Trial): void {
  for (const topic of TOPICS) {
    const stored = trial.stored(topic);
    expect(stored, 'once and in order').toEqual([...new Set(stored)].sort((a, b) => a - b));
    const own = trial.sent.filter((sent) => sent.topic === topic && sent.count > 0);
    const known = new Set(own.flatMap(({ first, count }) => Array.from({ length: count }, (_, n) => first + n)));
    expect(stored.every((n) => known.has(n))).toBe(true);
    for (const { first, count, outcome: result, isOrphan } of own) {
      const found = Array.from({ length: count }, (_, n) => stored.includes(first + n));
      expect(new Set(found).size, 'all of it or nothing').toBe(1);
      if (isOrphan) continue;
      expect([first, found[0], result.code]).toEqual([first, true, undefined]);
      const entry = trial.world.server.log(topic).entries[result.value!.offset - 1];
      expect(entry?.data instanceof Uint8Array ? (entry.data[0]! << 8) + entry.data[1]! : entry?.data).toBe(first);
    }
  }
  for (const { isBad, outcome: result, isOrphan } of trial.sent) if (isBad && !isOrphan) expect(result.code).toBe('REFUSED');
}

describe('publishing', () => {
  it('stores each publish exactly once and in order (HF-6)', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.array(step, { maxLength: 60, size: 'max' }), async (seed, steps) => {
        const trial = new Trial(seed);
        await trial.start();
        for (const one of steps) await trial.run(one);
        await trial.finish();
        expectExactlyOnce(trial);
        await trial.close();
      }),
      { numRuns: 150 },
    );
  }, 60_000);
});

type ReaderStep =
  | { readonly do: 'append'; readonly count: number }
  | { readonly do: 'read'; readonly from: number | 'head' | 'last'; readonly window: number; readonly pace: number }
  | { readonly do: 'leave'; readonly which: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'cut'; readonly isSilent: boolean }
  | { readonly do: 'trim'; readonly keep: number }
  | { readonly do: 'restart' };

const readerStep: fc.Arbitrary<ReaderStep> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('append' as const), count: fc.integer({ min: 1, max: 12 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('read' as const),
      from: fc.oneof(fc.nat(40), fc.constantFrom('head' as const, 'last' as const)),
      window: fc.constantFrom(1, 2, 5, 64),
      pace: fc.constantFrom(0, 0, 3, 30),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('leave' as const), which: fc.nat(5) }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(0, 1, 2, 5, 20, 100) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('cut' as const), isSilent: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('trim' as const), keep: fc.nat(10) }) },
  { weight: 1, arbitrary: fc.constant({ do: 'restart' as const }) },
);

interface Followed {
  readonly items: Item[];
  readonly start: { readonly epoch: string; readonly offset: number } | undefined;
  isOver: boolean;
  close(): void;
}

describe('reading', () => {
  it('gives every reader the log from its own place on: no hole without a gap, nothing twice (HF-5)', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.array(readerStep, { maxLength: 50, size: 'max' }), async (seed, steps) => {
        const world = new World(seed);
        const random = seededRandom(seed + 1);
        world.network.delayMs = () => 1 + Math.floor(random() * 8);
        world.server.heartbeatMs = 1_000;
        const client = world.client({ window: 8 });
        const topic = client.topic('t');
        const followed: Followed[] = [];
        let epochs = 1;
        /** Every log that there was. */
        const logs = new Map<string, string[]>([['e1', []]]);
        const log = world.server.log('t');
        for (const one of steps) {
          if (one.do === 'append') {
            for (let n = 0; n < one.count; n++) {
              const data = `${log.epoch}:${log.last + 1}`;
              logs.get(log.epoch)!.push(data);
              world.server.append('t', data);
            }
          } else if (one.do === 'read') {
            const position =
              typeof one.from === 'number' ? { epoch: log.epoch, offset: Math.min(one.from, log.last), revision: 0 } : undefined;
            const reader = topic.items({ position, window: one.window, ...(one.from === 'last' ? { last: 5 } : {}) });
            const own: Followed = { items: [], start: position, isOver: false, close: () => reader.close() };
            followed.push(own);
            const follow = async (): Promise<void> => {
              for await (const item of reader) {
                own.items.push(item);
                if (one.pace > 0) await new Promise<void>((resolve) => world.clock.setTimeout(resolve, one.pace));
              }
            };
            void follow();
          } else if (one.do === 'leave') {
            const own = followed[one.which];
            if (own !== undefined) own.isOver = true;
            own?.close();
          } else if (one.do === 'wait') await world.clock.advance(one.ms);
          else if (one.do === 'cut') world.network.cut(one.isSilent);
          else if (one.do === 'trim') log.trim(Math.max(log.first, log.last + 1 - one.keep));
          else {
            // The process dies with its connections and comes back empty.
            world.network.cut();
            epochs += 1;
            log.restart(`e${epochs}`);
            logs.set(log.epoch, []);
          }
        }
        for (let round = 0; round < 30; round++) {
          await world.clock.advance(900);
          for (const connection of world.server.connections) connection.send({ type: 'ping' });
        }
        for (const { items, start, isOver } of followed) {
          let place = start;
          for (const item of items) {
            if (item.type === 'gap') {
              expect({ epoch: item.before.epoch, offset: item.before.offset }).toEqual({
                epoch: place?.epoch ?? item.before.epoch,
                offset: place?.offset ?? item.before.offset,
              });
              expect(item.after.epoch !== item.before.epoch || item.after.offset > item.before.offset).toBe(true);
              place = item.after;
            } else if (item.type === 'entry') {
              const epoch = (item.data as string).split(':')[0]!;
              expect(item.data).toBe(logs.get(epoch)![item.offset - 1]);
              if (place !== undefined) expect([epoch, item.offset]).toEqual([place.epoch, place.offset + 1]);
              place = { epoch, offset: item.offset };
            }
          }
          if (!isOver && place !== undefined) expect(place).toMatchObject({ epoch: log.epoch, offset: log.last });
        }
        const closing = client.close();
        await world.clock.advance(10);
        await closing;
      }),
      { numRuns: 200 },
    );
  }, 60_000);
});
