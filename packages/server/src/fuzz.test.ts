/** Nothing that a client sends ends the process, leaves a promise alone, or harms another client (HF-4.1, HF-4.2). */

import { encodeClientMessage, type ClientMessage } from '@holdfast/wire';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Endpoint } from './endpoint.ts';
import { MemorySocket } from './memory-socket.testing.ts';
import { Stage } from './stage.testing.ts';

const unhandled: unknown[] = [];
const note = (reason: unknown): void => void unhandled.push(reason);

beforeAll(() => void process.on('unhandledRejection', note).on('uncaughtException', note));
afterAll(() => void process.off('unhandledRejection', note).off('uncaughtException', note));

const topic = fc.constantFrom('t', 'u', 'locked', 'hidden', 'a/b');
const name = fc.constantFrom('p', 'q', 'tab');
const id = fc.oneof(fc.integer({ min: 0, max: 9 }), fc.string({ minLength: 1, maxLength: 4 }));
const json = fc.jsonValue({ maxDepth: 3 }).filter((value) => !JSON.stringify(value).includes('__proto__'));
const small = fc.nat(12);
const position = fc.record({ epoch: fc.constantFrom('x', 'y'), offset: small, revision: small });

const legal = fc.oneof(
  fc.record({
    type: fc.constant('publish' as const),
    topic,
    producer: name,
    seq: fc.integer({ min: 1, max: 6 }),
    items: fc.array(fc.oneof(json, fc.uint8Array({ maxLength: 20 })), { minLength: 1, maxLength: 3 }),
  }),
  fc.record(
    { type: fc.constant('subscribe' as const), id, topic, last: small, credit: small, presence: fc.boolean() },
    { requiredKeys: ['type', 'id', 'topic'] },
  ),
  fc.record({ type: fc.constant('subscribe' as const), id, topic, position }),
  fc.record({ type: fc.constant('unsubscribe' as const), topic, id }, { requiredKeys: ['type', 'topic'] }),
  fc.record({ type: fc.constant('credit' as const), topic, upTo: small }),
  fc.record({ type: fc.constant('read' as const), id, topic, after: small }),
  fc.record({ type: fc.constant('read' as const), id, topic, before: small, limit: fc.integer({ min: 1, max: 5 }) }),
  fc.record({ type: fc.constant('signal' as const), topic, data: json }),
  fc.record({ type: fc.constant('presence' as const), topic, state: json, id }, { requiredKeys: ['type', 'topic', 'state'] }),
  fc.record({ type: fc.constant('register' as const), id, topic, key: name, merge: fc.constant('max' as const), value: small }),
  fc.record(
    {
      type: fc.constant('register' as const),
      id,
      topic,
      key: name,
      merge: fc.constant('replace' as const),
      value: json,
      ifRevision: small,
    },
    { requiredKeys: ['type', 'id', 'topic', 'key', 'merge', 'value'] },
  ),
  fc.record({ type: fc.constant('call' as const), id, method: fc.constantFrom('echo', 'fail', 'hang', 'none'), data: json }),
  fc.record({ type: fc.constant('auth' as const), id, token: fc.constantFrom('alice', 'alice', 'mallory') }),
  fc.record({ type: fc.constant('ping' as const), id }, { requiredKeys: ['type'] }),
  fc.record({ type: fc.constant('pong' as const) }),
) as fc.Arbitrary<ClientMessage>;

const types = [
  'hello',
  'auth',
  'subscribe',
  'publish',
  'read',
  'signal',
  'presence',
  'register',
  'call',
  'credit',
  'ping',
  'welcome',
  'entry',
  '__proto__',
  'toString',
];
const illegal = fc.oneof(
  fc.string(),
  fc.json(),
  fc.uint8Array({ maxLength: 40 }),
  // Nearly right: a known type with the wrong fields.
  fc
    .record(
      {
        type: fc.constantFrom(...types),
        id: fc.anything(),
        topic: fc.anything(),
        data: fc.anything(),
        producer: fc.anything(),
        seq: fc.anything(),
      },
      { requiredKeys: ['type'] },
    )
    .map(stringify),
  // Binary frames that begin as they should.
  fc.uint8Array({ maxLength: 30 }).map((bytes) => Uint8Array.of(1, ...bytes)),
);

function stringify(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch {
    return '{"type":"publish"}';
  }
}

const frame = fc.oneof({ weight: 6, arbitrary: legal.map((message) => encodeClientMessage(message)) }, { weight: 1, arbitrary: illegal });

type Step =
  | { readonly kind: 'frame'; readonly frame: string | Uint8Array }
  | { readonly kind: 'settle' | 'wait' | 'drop' | 'full' | 'drain' | 'failure' };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 20, arbitrary: fc.record({ kind: fc.constant('frame' as const), frame }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'settle' as const,
        'settle' as const,
        'settle' as const,
        'wait' as const,
        'full' as const,
        'drain' as const,
        'failure' as const,
        'drop' as const,
      ),
    }),
  },
);

function openStage(): Stage {
  return new Stage({
    topics: [
      {
        pattern: 'hidden',
        kind: { name: 'moody', isVisible: ({ offset }) => offset % 2 === 0, admit: ({ offset }) => (offset > 4 ? [] : undefined) },
      },
      { pattern: '*' },
    ],
    endpoint: {
      // A hook that is sometimes slow, sometimes fails, and sometimes refuses.
      authorize: async ({ topic: asked, action }) => {
        if (action === 'read') await Promise.resolve();
        if (asked === 'locked') throw new Error('rights');
        return asked !== 'u' || action !== 'publish' ? true : { floor: 2 };
      },
      methods: { echo: (data) => data, fail: () => Promise.reject(new Error('method')), hang: () => new Promise(() => undefined) },
    },
  });
}

async function take(stage: Stage, socket: MemorySocket, { kind, ...rest }: Step): Promise<void> {
  if (kind === 'frame') return socket.receive((rest as { frame: string | Uint8Array }).frame);
  if (kind === 'settle') return stage.clock.settle();
  if (kind === 'wait') return stage.clock.advance(600);
  if (kind === 'full') socket.bufferedBytes = stage.hub.services.limits.queueBytesMax + 1;
  if (kind === 'drain') socket.drain();
  if (kind === 'drop') socket.drop();
  if (kind === 'failure') stage.store.fail('apply', stage.clock.now() % 2 === 0 ? 'before' : 'after');
}

describe('HF-4.1: whatever a client sends', () => {
  test('a welcomed one: the hub stands, the others notice nothing, and answers come once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const stage = openStage();
        const witness = await stage.join({ client: 'witness', token: 'witness', subscribe: [{ id: 1, topic: 'quiet' }] });
        const socket = new MemorySocket();
        stage.hub.accept(socket, { endpoint: stage.endpoint, address: '', headers: {}, url: '/', protocols: [], isProtocol: true });
        socket.receive('{"type":"hello","client":"tab","token":"alice"}');
        for (const one of steps) await take(stage, socket, one);
        await stage.clock.advance(1_000);
        // Whatever was scripted to fail and never asked for is used up here.
        for (let round = 0; round < 60; round++) {
          witness.publish('quiet', 1, 'still here');
          await stage.clock.settle();
          if (witness.take('ack').length > 0) break;
          await stage.clock.advance(500);
        }
        expect(witness.take('entry')).toMatchObject([{ offset: 1, data: 'still here' }]);
        socket.drop();
        await stage.clock.advance(60_000);
        expect(stage.hub.connectionCount).toBe(1);
        expect(stage.hub.services.intake.laneCount).toBe(0);
        expect(unhandled).toEqual([]);
      }),
      { numRuns: 150 },
    );
  });

  test('one that has said nothing yet', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(frame, illegal), { minLength: 1, maxLength: 10 }), fc.boolean(), async (frames, isProtocol) => {
        const stage = openStage();
        const socket = new MemorySocket();
        const endpoint = isProtocol
          ? stage.endpoint
          : new Endpoint({ plain: { messages: { publish: () => Promise.reject(new Error('handler')) } } });
        stage.hub.accept(socket, { endpoint, address: '', headers: {}, url: '/', protocols: [], isProtocol });
        for (const one of frames) socket.receive(one);
        await stage.clock.advance(1_000);
        if (isProtocol) expect(socket.closed?.code).toBe(4000);
        socket.drop();
        expect(stage.hub.connectionCount).toBe(0);
        expect(unhandled).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });
});
