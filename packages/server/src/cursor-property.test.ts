/** HF-5.3 to HF-5.10 as one property: whatever happens around it, a consumer's view is the log in order, and every hole in it is said and real. */

import { HoldfastError, type GapReason, type Position } from '@holdfast/wire';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Consumer, CursorStage, type ConsumerOptions } from './cursor.testing.ts';
import type { FramedEntry } from './framed-entry.ts';
import { log, type Kind } from './kind.ts';
import type { Grant } from './rights.ts';
import type { Register } from './store.ts';
import type { TopicLog } from './topic-log.ts';

/** Longer than any delay here, and than a cursor's and a log's own retry, ms. */
const LONG_MS = 1_000;

/** Every third entry is for nobody. */
const thirds: Kind = { name: 'thirds', isVisible: ({ offset }) => offset % 3 !== 0 };

/** What was ever true of the log: the payloads by epoch and offset, from the disk and, of logs that are gone, from whoever saw them first. */
class Truth {
  readonly #payloads = new Map<string, unknown>();
  floor = 1;

  learn(stage: CursorStage): void {
    const topic = stage.disk.topics.get('t');
    for (const { offset, payload } of topic?.entries ?? []) this.agrees(topic!.epoch, offset, payload);
  }

  agrees(epoch: string, offset: number, payload: unknown): boolean {
    const place = `${epoch} ${offset}`;
    if (!this.#payloads.has(place)) this.#payloads.set(place, payload);
    return this.#payloads.get(place) === payload;
  }
}

/** A consumer that checks each item against the truth as it comes. It throws nothing at the cursor: what is wrong goes into `faults`. */
class Witness extends Consumer {
  readonly faults: string[] = [];
  readonly #stage: CursorStage;
  readonly #truth: Truth;
  #place: Position;
  #creditUpTo: number;
  isForbidden = false;

  constructor(stage: CursorStage, truth: Truth, log: TopicLog, start: Position, options: ConsumerOptions) {
    super(stage, log, start, options);
    this.#stage = stage;
    this.#truth = truth;
    this.#place = start;
    this.#creditUpTo = start.offset + (options.credit ?? Infinity);
  }

  get place(): Position {
    return this.#place;
  }

  credit(more: number): void {
    this.arrive(this.#place.offset + more, undefined);
  }

  /** A `credit` comes to the server, for the log of `epoch`, or for whichever there is. */
  arrive(upTo: number, epoch: string | undefined): void {
    if (epoch === undefined || epoch === this.#place.epoch) this.#creditUpTo = Math.max(this.#creditUpTo, upTo);
    this.cursor.credit(upTo, epoch);
  }

  override entry(framed: FramedEntry): void {
    const { offset, payload } = framed.entry;
    this.#checkDue(`entry ${offset}`, offset, offset);
    this.#check(this.#isVisible(offset), `entry ${offset} is hidden`);
    this.#check(this.#truth.agrees(this.#place.epoch, offset, payload), `entry ${offset} is not what was stored`);
    this.#place = { ...this.#place, offset };
    super.entry(framed);
  }

  override skip(first: number, last: number): void {
    this.#checkDue(`skip ${first}`, first, last);
    for (let offset = first; offset <= last; offset++) this.#check(!this.#isVisible(offset), `skip of ${offset}, which is visible`);
    this.#place = { ...this.#place, offset: last };
    super.skip(first, last);
  }

  override gap(reason: GapReason, before: Position, after: Position): void {
    const what = `gap ${reason} ${JSON.stringify([before, after])}`;
    this.#check(this.isReady && JSON.stringify(before) === JSON.stringify(this.#place), `${what} at ${JSON.stringify(this.#place)}`);
    const cut = this.#stage.store.trimmed.reduce((sum, { epoch, first }) => (epoch === after.epoch ? Math.max(sum, first - 1) : sum), 0);
    const isSame = after.epoch === before.epoch;
    const isForward = isSame && after.revision === before.revision && before.offset < after.offset;
    if (reason === 'epoch') this.#check(!isSame && after.offset <= cut && after.revision === 0, what);
    else if (reason === 'retention') this.#check(isForward && after.offset <= cut, what);
    else if (reason === 'floor') this.#check(isForward && after.offset < this.#truth.floor, what);
    else this.#check(false, what);
    // What was not used is carried over: whoever takes nothing is not given another window with every gap.
    this.#creditUpTo = after.offset + (this.#creditUpTo - before.offset);
    this.#place = after;
    super.gap(reason, before, after);
  }

  override register(register: Register): void {
    const { key, value, revision } = register;
    const wasWritten = this.#stage.store.batches.some(({ registers }) =>
      registers.some((one) => one.key === key && one.value === value && one.revision === revision),
    );
    const what = `register ${key}=${value}@${revision}`;
    this.#check(this.isReady && !this.isForbidden && revision > this.#place.revision, what);
    this.#check(wasWritten && revision <= this.#stage.peek().committedRevision, `${what} was never so`);
    this.#place = { ...this.#place, revision };
    super.register(register);
  }

  #isVisible(offset: number): boolean {
    return this.#stage.peek().kind.isVisible === undefined || offset % 3 !== 0;
  }

  #checkDue(what: string, first: number, last: number): void {
    this.#truth.learn(this.#stage);
    const { epoch, committed } = this.#stage.peek();
    this.#check(first === this.#place.offset + 1, `${what} after ${this.#place.offset}`);
    this.#check(this.isReady && !this.isForbidden, `${what}, ready ${this.isReady}, forbidden ${this.isForbidden}`);
    this.#check(last <= this.#creditUpTo, `${what} beyond the credit, ${this.#creditUpTo}`);
    this.#check(epoch === this.#place.epoch && last <= committed, `${what} of ${epoch} beyond ${committed}`);
  }

  #check(holds: boolean, fault: string): void {
    if (!holds) this.faults.push(fault);
  }
}

/** A consumer that gives credit as a client does, over a link that takes its time: never may it have to hold more than its window. */
class Holder extends Witness {
  windowCount = 3;
  delayMs = 0;
  #heldCount = 0;

  /** Processes some of what it holds. */
  override credit(more: number): void {
    this.#heldCount = Math.max(0, this.#heldCount - more);
    this.#grant();
  }

  override entry(framed: FramedEntry): void {
    super.entry(framed);
    this.#heldCount += 1;
    if (this.#heldCount > this.windowCount) this.faults.push(`${this.#heldCount} entries are held, and the window is ${this.windowCount}`);
  }

  override skip(first: number, last: number): void {
    super.skip(first, last);
    this.#grant();
  }

  override gap(reason: GapReason, before: Position, after: Position): void {
    super.gap(reason, before, after);
    this.#grant();
  }

  #grant(): void {
    const { epoch, offset } = this.place;
    const upTo = offset + this.windowCount - this.#heldCount;
    this.clock.setTimeout(() => this.arrive(upTo, epoch), this.delayMs);
  }
}

interface World {
  readonly stage: CursorStage;
  readonly truth: Truth;
  /** The holder among them. */
  readonly witnesses: readonly Witness[];
  readonly holder: Holder;
}

type Action = (world: World) => unknown;

const some = fc.nat(3);
const delay = fc.nat(400);

function held(method: 'read' | 'registers' | 'apply' | 'head', point: 'before' | 'after', delayMs: number, isLost: boolean): Action {
  return ({ stage: { store, clock } }) => {
    const gate = store.hold(method, point);
    clock.setTimeout(() => (isLost ? gate.fail() : gate.pass()), delayMs);
  };
}

const actions: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.integer({ min: 1, max: 5 }).map(
      (count): Action =>
        ({ stage }) =>
          stage.publish(count),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(fc.constantFrom('a', 'b'), fc.nat(99)).map(
      ([key, value]): Action =>
        ({ stage }) =>
          stage.write(key, value),
    ),
  },
  { weight: 8, arbitrary: fc.constant<Action>(({ stage }) => stage.clock.settle()) },
  {
    weight: 4,
    arbitrary: fc.integer({ min: 1, max: 300 }).map(
      (ms): Action =>
        ({ stage }) =>
          stage.clock.advance(ms),
    ),
  },
  // A few promises further, and not to the end.
  {
    weight: 8,
    arbitrary: fc.integer({ min: 1, max: 12 }).map((ticks): Action => async () => {
      for (let tick = 0; tick < ticks; tick++) await Promise.resolve();
    }),
  },
  {
    weight: 6,
    arbitrary: fc.tuple(some, fc.nat(8)).map(
      ([at, more]): Action =>
        ({ witnesses }) =>
          witnesses[at]!.credit(more),
    ),
  },
  {
    weight: 2,
    arbitrary: delay.map(
      (delayMs): Action =>
        ({ holder }) =>
          (holder.delayMs = delayMs),
    ),
  },
  {
    weight: 6,
    arbitrary: fc.tuple(some, fc.integer({ min: 1, max: 6 })).map(([at, appetite]): Action => ({ witnesses }) => {
      const witness = witnesses[at]!;
      witness.appetite = appetite;
      witness.isReady = true;
      witness.cursor.pump();
    }),
  },
  // The socket has room again before it says so.
  {
    weight: 2,
    arbitrary: some.map((at): Action => ({ witnesses }) => {
      witnesses[at]!.appetite = 2;
      witnesses[at]!.isReady = true;
    }),
  },
  {
    weight: 4,
    arbitrary: fc
      .tuple(
        fc.constantFrom('read' as const, 'registers' as const),
        fc.constantFrom('before' as const, 'after' as const),
        delay,
        fc.boolean(),
      )
      .map((script) => held(...script)),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(fc.constantFrom('apply' as const, 'head' as const), fc.constantFrom('before' as const, 'after' as const), delay, fc.boolean())
      .map((script) => held(...script)),
  },
  {
    weight: 2,
    arbitrary: fc.nat(6).map(
      (countMax): Action =>
        ({ stage }) =>
          stage.sequencer.trim('t', { countMax }).catch(() => undefined),
    ),
  },
  { weight: 1, arbitrary: fc.constant<Action>(({ stage }) => void stage.sequencer.remove('t').catch(() => undefined)) },
  {
    weight: 3,
    arbitrary: fc.tuple(some, fc.option(fc.nat(12), { nil: undefined })).map(([at, above]): Action => ({ witnesses, truth }) => {
      const witness = witnesses[at]!;
      const floor = above === undefined ? 1 : witness.place.offset + above;
      truth.floor = Math.max(truth.floor, floor);
      witness.grant = { floor };
      witness.isForbidden = false;
      void witness.cursor.recheck();
    }),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(some, fc.boolean()).map(([at, isForbidden]): Action => async ({ witnesses }) => {
      const witness = witnesses[at]!;
      const grant: Grant | HoldfastError = isForbidden ? new HoldfastError('FORBIDDEN') : {};
      if (!isForbidden) witness.isForbidden = false;
      witness.grant = grant;
      await witness.cursor.recheck();
      if (witness.grant === grant) witness.isForbidden = isForbidden;
    }),
  },
);

const scripts = fc.array(actions, { minLength: 5, maxLength: 80 });

describe('HF-5.3 to HF-5.10, HF-7.1, HF-7.8, decisions 10 to 15 and 17', () => {
  test('the view is the log', async () => {
    let runCount = 0;
    await fc.assert(
      fc.asyncProperty(scripts, fc.constantFrom(thirds, log()), fc.constantFrom(0, 2, 5, 1_000), async (steps, kind, tailCount) => {
        const stage = new CursorStage({ kind, tailCount });
        const truth = new Truth();
        await stage.fill(4);
        const opened = await stage.log();
        const starts: [number, ConsumerOptions][] = [
          [0, {}],
          [2, { credit: 3 }],
          [4, { credit: 0 }],
        ];
        const witnesses = starts.map(([offset, options]) =>
          stage.begin(new Witness(stage, truth, opened, { epoch: opened.epoch, offset, revision: 0 }, options)),
        );
        const holder = stage.begin(new Holder(stage, truth, opened, { epoch: opened.epoch, offset: 1, revision: 0 }, { credit: 3 }));
        witnesses.push(holder);
        const world: World = { stage, truth, witnesses, holder };
        for (const step of steps) {
          await step(world);
          truth.learn(stage);
          expect(witnesses.flatMap(({ faults }) => faults)).toEqual([]);
        }
        for (const witness of witnesses) {
          witness.grant = {};
          witness.isForbidden = false;
          witness.isReady = true;
          witness.appetite = Infinity;
          await stage.clock.advance(LONG_MS);
          void witness.cursor.recheck();
        }
        holder.windowCount = 1_000;
        for (let round = 0; round < 4; round++) {
          for (const witness of witnesses) witness.credit(1_000);
          await stage.clock.advance(LONG_MS);
        }
        expect(witnesses.flatMap(({ faults }) => faults)).toEqual([]);
        const head = await stage.log();
        for (const witness of witnesses) {
          expect(witness.place).toEqual({ epoch: head.epoch, offset: head.committed, revision: head.committedRevision });
          expect(witness.cursor.isLive).toBe(true);
        }
        expect(stage.reported).toEqual([]);
        runCount += witnesses.reduce((sum, witness) => sum + witness.runCount, 0);
      }),
      { numRuns: 1_200 },
    );
    // Many of them as one.
    expect(runCount).toBeGreaterThan(100);
  });
});
