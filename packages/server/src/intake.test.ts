import { DEFAULT_LIMITS, HoldfastError, type Data, type Limits, type Publish } from '@holdfast/wire';
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { ENVELOPE_BYTES, Intake, type IntakeOptions, type IntakeRequest, type PublishSource } from './intake.ts';
import { SequencerStage } from './sequencer.testing.ts';
import type { Decision } from './topic-log.ts';

/** After this time a hook counts as hanging, ms. */
const HOOK_TIMEOUT_MS = 30_000;

let stage: SequencerStage;
let intake: Intake;
/** Such as `p1 at 1` or `p1 REFUSED`. */
let answers: string[];
let reported: unknown[];

beforeEach(async () => {
  stage = new SequencerStage();
  reported = [];
  answers = [];
  begin();
  await Promise.all([stage.sequencer.open('t'), stage.clock.settle()]);
});

function begin({ limits, ...options }: Partial<Omit<IntakeOptions, 'limits'>> & { readonly limits?: Partial<Limits> } = {}): void {
  intake = new Intake({
    sequencer: stage.sequencer,
    clock: stage.clock,
    countMax: 100_000,
    bytesMax: 268_435_456,
    hookTimeoutMs: 30_000,
    onLimited: () => undefined,
    refusalOf: (error) => {
      if (error instanceof HoldfastError) return error;
      reported.push(error);
      return new HoldfastError('INTERNAL');
    },
    ...options,
    limits: { ...DEFAULT_LIMITS, ...limits },
  });
}

type Judge = () => ReturnType<PublishSource['judge']>;

const allow: Judge = () => undefined;

function publish(
  seq: number,
  judge: Judge = allow,
  more: Partial<Publish> & { readonly subject?: string; readonly isBounded?: boolean } = {},
): void {
  const { subject = 'alice', isBounded = true, ...fields } = more;
  const message: Publish = { type: 'publish', topic: 't', producer: 'p', seq, items: [seq], ...fields };
  const answered = (request: IntakeRequest, decision: Decision): void =>
    void answers.push(`${request.message.producer}${seq} ${said(decision)}`);
  intake.publish({ message, identity: { subject }, source: { judge, answered }, isBounded });
}

function said(decision: Decision): string {
  return decision.kind === 'refused' ? decision.error.code : `at ${decision.offset}${decision.duplicate ? ' again' : ''}`;
}

function later<Value>(value: Value, delayMs: number): Promise<Value> {
  return new Promise((resolve) => void stage.clock.setTimeout(() => resolve(value), delayMs));
}

function laterRefused(error: unknown, delayMs: number): Promise<never> {
  return new Promise((_resolve, reject) => void stage.clock.setTimeout(() => reject(error as Error), delayMs));
}

async function answered(): Promise<string[]> {
  await stage.clock.settle();
  return answers.splice(0);
}

describe('HF-6.6, decision 7: first in, first out per topic and producer, whatever hooks take', () => {
  test('a slow one holds back its own lane only', async () => {
    publish(1, () => later(undefined, 100));
    publish(2);
    publish(1, allow, { producer: 'q' });
    publish(1, allow, { subject: 'bob', producer: 'b' });
    publish(1, allow, { topic: 'u', producer: 'u' });
    expect((await answered()).sort()).toEqual(['b1 at 2', 'q1 at 1', 'u1 at 1']);
    await stage.clock.advance(100);
    expect(await answered()).toEqual(['p1 at 3', 'p2 at 4']);
  });

  test('the hooks of one lane run one at a time', async () => {
    let running = 0;
    const judge: Judge = async () => {
      running += 1;
      expect(running).toBe(1);
      await later(undefined, 10);
      running -= 1;
      return undefined;
    };
    for (let seq = 1; seq <= 5; seq++) publish(seq, judge);
    await stage.clock.advance(50);
    expect(await answered()).toEqual(['p1 at 1', 'p2 at 2', 'p3 at 3', 'p4 at 4', 'p5 at 5']);
  });

  test('synchronous hooks lose no turn: what comes in one turn is one batch', async () => {
    const before = stage.store.countOf('apply');
    for (let seq = 1; seq <= 5; seq++) publish(seq);
    await answered();
    expect(stage.store.countOf('apply')).toBe(before + 1);
  });

  test('a promise of another library is waited for as well', async () => {
    // oxlint-disable-next-line unicorn/no-thenable -- what a foreign promise is
    const foreign = { then: (resolve: (value: undefined) => void) => void stage.clock.setTimeout(() => resolve(undefined), 5) };
    publish(1, () => foreign as unknown as Promise<undefined>);
    expect(await answered()).toEqual([]);
    await stage.clock.advance(5);
    expect(await answered()).toEqual(['p1 at 1']);
  });

  test('in any order of hooks that take any time and give any verdict', async () => {
    const verdict = fc.constantFrom('allow', 'refuse', 'replace');
    const step = fc.record({ producer: fc.constantFrom('p', 'q'), delayMs: fc.option(fc.nat(50), { nil: undefined }), verdict });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        stage = new SequencerStage();
        answers = [];
        begin();
        const seqs = new Map([
          ['p', 0],
          ['q', 0],
        ]);
        const expected: string[] = [];
        for (const { producer, delayMs, verdict: what } of steps) {
          const seq = seqs.get(producer)! + 1;
          seqs.set(producer, seq);
          const replacement: Data[] = [`${producer}${seq}`, 'more'];
          expected.push(
            ...(what === 'refuse' ? [] : what === 'replace' ? [`${producer}${seq}`, 'more'] : [seq]).map((item) => `${producer} ${item}`),
          );
          const refused = new HoldfastError('REFUSED');
          publish(
            seq,
            () => {
              if (delayMs !== undefined)
                return what === 'refuse' ? laterRefused(refused, delayMs) : later(what === 'replace' ? replacement : undefined, delayMs);
              if (what === 'refuse') throw refused;
              return what === 'replace' ? replacement : undefined;
            },
            { producer },
          );
          if (seq % 3 === 0) await stage.clock.advance(seq);
        }
        await stage.clock.advance(50 * steps.length);
        const page = await stage.store.read('t', { after: 0 }, { countMax: 1_000, bytesMax: 1e6 });
        const stored = (page?.entries ?? []).map(({ producer, payload }) => `${producer} ${JSON.parse(payload as string) as string}`);
        for (const name of ['p', 'q']) {
          const of = (list: string[]): string[] => list.filter((line) => line.startsWith(`${name} `));
          expect(of(stored)).toEqual(of(expected));
          const answeredSeqs = answers.filter((line) => line.startsWith(name)).map((line) => Number.parseInt(line.slice(1), 10));
          expect(answeredSeqs).toEqual(answeredSeqs.map((_, index) => index + 1));
        }
        expect(answers).toHaveLength(steps.length);
        expect(intake.laneCount).toBe(0);
      }),
      { numRuns: 60 },
    );
  });
});

describe('a hook that fails', () => {
  test('is INTERNAL and retryable, reported, and nothing overtakes', async () => {
    publish(1, () => {
      throw new Error('bug');
    });
    publish(2);
    publish(3, () => laterRefused(new Error('late bug'), 10));
    await stage.clock.advance(10);
    expect(await answered()).toEqual(['p1 INTERNAL', 'p2 PIPELINE_STOPPED', 'p3 PIPELINE_STOPPED']);
    expect(reported).toEqual([new Error('bug'), new Error('late bug')]);
    publish(1);
    publish(2);
    expect(await answered()).toEqual(['p1 at 1', 'p2 at 2']);
  });

  test('by hanging does not stop its producer for ever', async () => {
    const lateness: { allow?: () => void } = {};
    publish(1, () => new Promise((resolve) => (lateness.allow = () => resolve(undefined))));
    publish(2);
    await stage.clock.advance(HOOK_TIMEOUT_MS - 1);
    expect(await answered()).toEqual([]);
    await stage.clock.advance(1);
    expect(await answered()).toEqual(['p1 INTERNAL', 'p2 PIPELINE_STOPPED']);
    expect(reported).toHaveLength(1);
    lateness.allow?.();
    expect(await answered()).toEqual([]);
    expect(await stage.stored()).toEqual([]);
  });

  test.each<[string, unknown]>([
    ['nothing at all', []],
    ['no list', 'text'],
    ['what is no JSON', [() => 1]],
    ['a hole', [undefined]],
    ['too deep', [[[[[[[[[]]]]]]]]]],
  ])('by giving %s for payloads', async (_what, items) => {
    begin({ limits: { depthMax: 8 } });
    publish(1, () => items as Data[]);
    publish(2);
    expect(await answered()).toEqual(['p1 INTERNAL', 'p2 PIPELINE_STOPPED']);
    expect(reported).toHaveLength(1);
  });
});

describe('HF-6.3, decision 2: at most W are unanswered per topic and producer', () => {
  test('more are refused as retryable, in their place', async () => {
    begin({ limits: { inFlightMax: 2 } });
    publish(1, () => later(undefined, 10));
    for (let seq = 2; seq <= 4; seq++) publish(seq);
    publish(1, allow, { producer: 'q' });
    expect(await answered()).toEqual(['q1 at 1']);
    await stage.clock.advance(10);
    expect((await answered()).sort()).toEqual(['p1 at 2', 'p2 at 3', 'p3 TOO_MANY_IN_FLIGHT', 'p4 PIPELINE_STOPPED']);
    for (let seq = 3; seq <= 4; seq++) publish(seq);
    expect(await answered()).toEqual(['p3 at 4', 'p4 at 5']);
  });

  test('a resend over a new connection gets its answer all the same', async () => {
    begin({ limits: { inFlightMax: 2 } });
    publish(1, () => later(undefined, 10));
    publish(2);
    publish(1);
    publish(2);
    await stage.clock.advance(10);
    expect(await answered()).toEqual(['p1 at 1', 'p2 at 2', 'p1 at 1 again', 'p2 at 2 again']);
  });

  test('W does not bound the server itself, which sends nothing again', async () => {
    begin({ limits: { inFlightMax: 2 } });
    for (let seq = 1; seq <= 5; seq++) publish(seq, allow, { isBounded: false });
    expect(await answered()).toEqual(['p1 at 1', 'p2 at 2', 'p3 at 3', 'p4 at 4', 'p5 at 5']);
  });
});

describe('the node has its bounds', () => {
  test.each<[string, Partial<IntakeOptions>]>([
    ['publishes', { countMax: 2 }],
    ['bytes', { bytesMax: 2 }],
  ])('of unanswered %s: beyond it is OVERLOADED, and its payload is let go', async (_what, bounds) => {
    begin(bounds);
    const kept: IntakeRequest[] = [];
    const source: PublishSource = {
      judge: () => later(undefined, 10),
      answered: (_request, decision) => void answers.push(said(decision)),
    };
    for (let seq = 1; seq <= 3; seq++) {
      const message: Publish = { type: 'publish', topic: 't', producer: `p${seq}`, seq: 1, items: [seq] };
      const request: IntakeRequest = { message, identity: { subject: 'alice' }, source, isBounded: true };
      kept.push(request);
      intake.publish(request);
    }
    expect(await answered()).toEqual(['OVERLOADED']);
    expect(kept.map(({ message }) => message.items.length)).toEqual([1, 1, 0]);
    await stage.clock.advance(10);
    expect(await answered()).toEqual(['at 1', 'at 2']);
    publish(1);
    expect(await answered()).toEqual(['p1 at 3']);
  });
});

describe('TOO_LARGE (HF-6.4)', () => {
  const bytesMax = 10;

  beforeEach(() => {
    begin({ limits: { frameBytesMax: ENVELOPE_BYTES + bytesMax } });
  });

  test.each<[string, Data, string]>([
    ['JSON at the bound', 'x'.repeat(8), 'p1 at 1'],
    ['JSON above it', 'x'.repeat(9), 'p1 TOO_LARGE'],
    ['JSON by its bytes, not its characters', 'ééé', 'p1 at 1'],
    ['JSON by its bytes, one too many', 'ééééé', 'p1 TOO_LARGE'],
    ['bytes at the bound', new Uint8Array(10), 'p1 at 1'],
    ['bytes above it', new Uint8Array(11), 'p1 TOO_LARGE'],
  ])('%s', async (_what, data, expected) => {
    publish(1, allow, { items: [data] });
    expect(await answered()).toEqual([expected]);
  });

  test('what a hook makes of it counts', async () => {
    publish(1, () => ['x'.repeat(20)]);
    publish(2, () => ['ok'], { items: ['x'.repeat(20)] });
    expect(await answered()).toEqual(['p1 TOO_LARGE', 'p2 at 1']);
  });

  test('one of an atomic publish refuses all of it', async () => {
    publish(1, allow, { items: ['a', 'x'.repeat(20)] });
    publish(2);
    expect(await answered()).toEqual(['p1 TOO_LARGE', 'p2 at 1']);
    expect(await stage.stored()).toEqual([2]);
  });
});

test('HF-6.5: the digest is that of what was sent, so a hook may give something else each time', async () => {
  let count = 0;
  const stamp: Judge = () => [(count += 1)];
  publish(1, stamp);
  publish(1, stamp);
  expect(await answered()).toEqual(['p1 at 1', 'p1 at 1 again']);
  expect(await stage.stored()).toEqual([1]);
});

test('HF-8.3: close refuses what comes, in its place, and waits for what is unanswered', async () => {
  publish(1, () => later(undefined, 10));
  let isClosed = false;
  void intake.close().then(() => (isClosed = true));
  publish(2);
  expect(await answered()).toEqual([]);
  expect(isClosed).toBe(false);
  await stage.clock.advance(10);
  expect(await answered()).toEqual(['p2 GOING_AWAY', 'p1 at 1']);
  expect(isClosed).toBe(true);
  expect(intake.laneCount).toBe(0);
});

test('lanes are freed whatever the answer was', async () => {
  publish(1);
  publish(5, allow, { producer: 'q' });
  publish(1, () => laterRefused(new HoldfastError('FORBIDDEN'), 5), { producer: 'r' });
  expect(intake.laneCount).toBe(3);
  await stage.clock.advance(5);
  expect(await answered()).toHaveLength(3);
  expect(intake.laneCount).toBe(0);
});
