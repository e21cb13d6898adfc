import { HoldfastError } from '@holdfast/wire';
import { beforeEach, describe, expect, test } from 'vitest';
import { Endpoint } from './endpoint.ts';
import type { PlainItem } from './plain.ts';
import type { Question } from './rights.ts';
import { Stage } from './stage.testing.ts';

let stage: Stage;

beforeEach(() => {
  stage = new Stage();
});

/** What comes of a promise when everything that can happen has happened: its value, or the code of its refusal. */
async function outcome(promise: Promise<unknown>): Promise<unknown> {
  const settled = promise.catch((error: unknown) => (error instanceof HoldfastError ? error.code : error));
  await stage.clock.settle();
  return settled;
}

describe('an idempotency key', () => {
  test('the same key with the same data is stored once, also after a restart', async () => {
    const first = await outcome(stage.hub.publish('t', { a: 1 }, { idempotencyKey: 'order 7' }));
    expect(first).toMatchObject({ offset: 1 });
    expect(await outcome(stage.hub.publish('t', { a: 1 }, { idempotencyKey: 'order 7' }))).toEqual({
      ...(first as object),
      duplicate: true,
    });
    stage.restart();
    expect(await outcome(stage.hub.publish('t', { a: 1 }, { idempotencyKey: 'order 7' }))).toMatchObject({ offset: 1, duplicate: true });
    expect(await outcome(stage.hub.publish('t', { a: 1 }, { idempotencyKey: 'order 8' }))).toMatchObject({ offset: 2 });
  });

  test('of more keys than are kept in memory each is stored once', async () => {
    const publishAll = async (): Promise<unknown[]> => {
      const answers: unknown[] = [];
      for (let first = 0; first < 1_500; first += 500) {
        const keys = Array.from({ length: 500 }, (_, at) => first + at);
        answers.push(
          ...((await outcome(Promise.all(keys.map((key) => stage.hub.publish('t', key, { idempotencyKey: `key ${key}` }))))) as []),
        );
      }
      return answers;
    };
    await publishAll();
    const { log } = (await stage.hub.services.openTopic('t')).topic;
    expect(log.producers.size).toBe(1_024);
    expect(await publishAll()).toEqual(
      Array.from({ length: 1_500 }, (_, at) => expect.objectContaining({ offset: at + 1, duplicate: true }) as unknown),
    );
    expect(log.committed).toBe(1_500);
  });

  test('at the same time as well', async () => {
    const both = Promise.all([1, 2].map(() => stage.hub.publish('t', 'x', { idempotencyKey: 'k' })));
    expect(await outcome(both)).toMatchObject([{ offset: 1 }, { offset: 1, duplicate: true }]);
  });

  test('the same key with other data is refused; in another topic or of another subject it is another key', async () => {
    await outcome(stage.hub.publish('t', 1, { idempotencyKey: 'k' }));
    expect(await outcome(stage.hub.publish('t', 2, { idempotencyKey: 'k' }))).toBe('SEQ_CONFLICT');
    expect(await outcome(stage.hub.publish('u', 2, { idempotencyKey: 'k' }))).toMatchObject({ offset: 1 });
    expect(await outcome(stage.hub.publish('t', 2, { idempotencyKey: 'k', from: 'bob' }))).toMatchObject({ offset: 2 });
  });

  test.each(['', 'x'.repeat(257)])('a key that is none is refused at once', (idempotencyKey) => {
    expect(() => stage.hub.publish('t', 1, { idempotencyKey })).toThrow(/1 to 256 characters/);
  });
});

describe('with an endpoint', () => {
  const asked: string[] = [];
  const allowed = new Set<string>();
  const endpoint = new Endpoint({
    topics: ['t', 'u'],
    authorize: ({ action, topic }: Question) => asked.push(`${action} ${topic}`) > 0 && allowed.has(action),
  });

  beforeEach(() => {
    asked.length = 0;
    allowed.clear();
  });

  test('rights are asked for each action', async () => {
    const actor = stage.hub.actor({ subject: 'alice' }, endpoint);
    const all = [(): Promise<unknown> => actor.publish('t', 1), () => actor.read('t', { after: 0 }), () => actor.members('t')];
    for (const act of all) expect(await outcome(act())).toBe('FORBIDDEN');
    expect(asked).toEqual(['publish t', 'read t', 'members t']);
    for (const action of ['publish', 'read', 'members']) allowed.add(action);
    expect(await outcome(actor.publish('t', { a: 1 }))).toMatchObject({ offset: 1 });
    expect(await outcome(actor.read('t', { after: 0 }))).toMatchObject({
      last: 1,
      entries: [{ offset: 1, from: 'alice', data: { a: 1 } }],
    });
    expect(await outcome(actor.members('t'))).toEqual([]);
  });

  test('other topics are not there, nor are those of the server itself', async () => {
    allowed.add('publish').add('read');
    const actor = stage.hub.actor({ subject: 'alice' }, endpoint);
    expect(await outcome(actor.publish('v', 1))).toBe('UNKNOWN_TOPIC');
    expect(await outcome(actor.read('holdfast/revocations', { after: 0 }))).toBe('UNKNOWN_TOPIC');
    expect(asked).toEqual([]);
  });

  test('what a hook of the topic says counts', async () => {
    stage = new Stage({ topics: [{ pattern: '*', beforePublish: ({ items }) => items.map((item) => ({ checked: item as number })) }] });
    allowed.add('publish');
    const actor = stage.hub.actor({ subject: 'alice' }, endpoint);
    expect(await outcome(actor.publish('t', 1, { idempotencyKey: 'k' }))).toMatchObject({ offset: 1 });
    expect(await outcome(stage.hub.actor({ subject: 'x' }).read('t', { after: 0 }))).toMatchObject({ entries: [{ data: { checked: 1 } }] });
  });
});

describe('without one', () => {
  test('everything may be done, on the server’s own topics too', async () => {
    await outcome(stage.hub.publish('holdfast/notes', 'x'));
    expect(await outcome(stage.hub.actor({ subject: 'server' }).read('holdfast/notes', { before: 10 }))).toMatchObject({ last: 1 });
  });

  test('follow gives what was and what comes, until it is ended', async () => {
    void stage.hub.publish('t', 1);
    await stage.clock.settle();
    const seen: PlainItem[] = [];
    const { epoch } = (await outcome(stage.hub.publish('t', 2))) as { epoch: string };
    const from = { position: { epoch, offset: 1, revision: 0 } };
    const end = (await outcome(stage.hub.actor({ subject: 's' }).follow('t', from, (item) => seen.push(item)))) as () => void;
    await outcome(stage.hub.publish('t', 3));
    end();
    await outcome(stage.hub.publish('t', 4));
    expect(seen).toMatchObject([
      { offset: 2, data: 2 },
      { offset: 3, data: 3 },
    ]);
  });

  test('what is no topic, no subject, or known to no rule', async () => {
    expect(() => stage.hub.actor({ subject: '' })).toThrow(/subject/);
    expect(() => stage.hub.publish('a//b', 1)).toThrow(/not a topic name/);
    stage = new Stage({ topics: [{ pattern: 'a/*' }] });
    expect(() => stage.hub.publish('b', 1)).toThrow(/no rule/);
    expect(await outcome(stage.hub.actor({ subject: 's' }).read('b', { after: 0 }))).toBe('UNKNOWN_TOPIC');
  });
});
