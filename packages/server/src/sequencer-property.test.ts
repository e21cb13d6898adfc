/** HF-6.2 to HF-6.14 as one property: whatever the disk does, what was published is stored exactly once, in order, and answers tell the truth. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ScriptedStore } from './scripted-store.testing.ts';
import { Sequencer } from './sequencer.ts';
import { repeatableRandom } from './chance.testing.ts';
import { log } from './kind.ts';
import { createMemoryDisk, type MemoryDisk } from './store-memory.ts';
import type { Decision } from './topic-log.ts';
import { VirtualClock } from './virtual-clock.testing.ts';

const W = 4;

/** A producer that follows the rules: at most W unanswered, and after a retryable refusal again from the first one on. */
class Producer {
  readonly name: string;
  readonly acknowledged = new Map<number, number>();
  #nextSeq = 1;
  #unanswered: number[] = [];
  #isStopped = false;
  /** Answers to what a former process was asked do not arrive. */
  #life = 0;

  constructor(name: string) {
    this.name = name;
  }

  get isDone(): boolean {
    return this.#unanswered.length === 0;
  }

  begin(sequencer: Sequencer): void {
    if (this.#unanswered.length >= W || this.#isStopped) return;
    const seq = this.#nextSeq++;
    this.#unanswered.push(seq);
    this.#send(sequencer, seq);
  }

  resend(sequencer: Sequencer): void {
    this.#isStopped = false;
    this.#life += 1;
    for (const seq of this.#unanswered) this.#send(sequencer, seq);
  }

  #send(sequencer: Sequencer, seq: number): void {
    const life = this.#life;
    const request = {
      topic: 't',
      identity: { subject: 's' },
      producer: this.name,
      seq,
      digest: String(seq),
      payloads: [`"${this.name}${seq}"`],
    };
    sequencer.publish(request, (decision) => {
      if (life === this.#life) this.#answered(seq, decision);
    });
  }

  #answered(seq: number, decision: Decision): void {
    if (decision.kind === 'refused') {
      expect(decision.error).toMatchObject({ retryable: true });
      this.#isStopped = true;
      return;
    }
    this.acknowledged.set(seq, decision.offset);
    this.#unanswered = this.#unanswered.filter((one) => one !== seq);
  }
}

class World {
  readonly clock = new VirtualClock();
  readonly producers = ['p', 'q', 'r'].map((name) => new Producer(name));
  /** What was announced of each epoch, in order. */
  readonly announced: string[] = [];
  readonly #disk: MemoryDisk = createMemoryDisk();
  readonly #random = repeatableRandom(7);
  store!: ScriptedStore;
  sequencer!: Sequencer;

  constructor() {
    this.restart();
  }

  restart(): void {
    // A process that died announces nothing more.
    const store = (this.store = new ScriptedStore({ disk: this.#disk, outcomesMax: W }));
    this.sequencer = new Sequencer({
      store,
      clock: this.clock,
      random: this.#random,
      kindOf: () => log(),
      producerSilenceMs: 1e9,
      listener: {
        onCommit: (_log, { entries }) => {
          if (this.store === store) for (const { offset, payload } of entries) this.announced.push(`${offset}${payload as string}`);
        },
        onReload: () => undefined,
      },
    });
    for (const producer of this.producers) producer.resend(this.sequencer);
  }

  /** Everything is answered in the end. */
  async finish(): Promise<void> {
    for (let round = 0; round < 10 && this.producers.some(({ isDone }) => !isDone); round++) {
      await this.clock.advance(500);
      for (const producer of this.producers) producer.resend(this.sequencer);
      await this.clock.settle();
    }
  }
}

type Action = (world: World) => Promise<void> | void;

const methods = fc.constantFrom('apply' as const, 'apply' as const, 'head' as const, 'outcomes' as const);
const points = fc.constantFrom('before' as const, 'after' as const);

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.nat(2).map(
      (at): Action =>
        ({ producers, sequencer }) =>
          producers[at]!.begin(sequencer),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.nat(2).map(
      (at): Action =>
        ({ producers, sequencer }) =>
          producers[at]!.resend(sequencer),
    ),
  },
  { weight: 5, arbitrary: fc.constant<Action>(({ clock }) => clock.settle()) },
  { weight: 2, arbitrary: fc.constant<Action>(({ clock }) => clock.advance(500)) },
  {
    weight: 4,
    arbitrary: fc.tuple(methods, points).map(
      ([method, point]): Action =>
        ({ store }) =>
          store.fail(method, point),
    ),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(methods, points, fc.nat(800), fc.boolean())
      .map(([method, point, delayMs, isLost]): Action => ({ store, clock }) => {
        const gate = store.hold(method, point);
        clock.setTimeout(() => (isLost ? gate.fail() : gate.pass()), delayMs);
      }),
  },
  { weight: 1, arbitrary: fc.constant<Action>((world) => world.sequencer.forgetIdle(world.clock.now(), () => false)) },
  {
    weight: 1,
    arbitrary: fc.constant<Action>(async (world) => {
      // Nothing of the old process is under way any more when the new one begins.
      await world.clock.advance(2_000);
      world.restart();
    }),
  },
);

describe('HF-6.2 to HF-6.14, decisions 1, 2, 8 and 9', () => {
  test('exactly once, in order, and acknowledged where it is', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 1, maxLength: 60 }), async (actions) => {
        const world = new World();
        for (const act of actions) await act(world);
        await world.finish();
        const page = await world.store.read('t', { after: 0 }, { countMax: 1_000, bytesMax: 1e9 });
        const entries = page?.entries ?? [];
        for (const { name, acknowledged, isDone } of world.producers) {
          expect(isDone).toBe(true);
          const own = entries.filter(({ producer }) => producer === name);
          expect(own.map(({ seq }) => seq)).toEqual([...acknowledged.keys()].sort((one, other) => one - other));
          expect(own.map(({ seq }) => seq)).toEqual(own.map((_, index) => index + 1));
          expect(own.map(({ offset }) => offset)).toEqual(own.map(({ seq }) => acknowledged.get(seq)));
        }
        // Announced is what is stored, each once and in order; a commit whose report was lost is found by reading.
        const stored = entries.map(({ offset, payload }) => `${offset}${payload as string}`);
        expect(stored.filter((entry) => world.announced.includes(entry))).toEqual(world.announced);
      }),
      { numRuns: 300 },
    );
  });
});
