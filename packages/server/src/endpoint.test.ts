import { describe, expect, test } from 'vitest';
import { Endpoint } from './endpoint.ts';
import { anonymous, type Authorize, type Grant, type Question } from './rights.ts';

const question: Question = { identity: { subject: 'alice' }, action: 'publish', topic: 't' };
const NOW_MS = 1_000;
const credentials = { client: 'tab-1234567890', address: '', headers: {}, url: '/', protocols: [] };

function ask(answer: unknown): Promise<Grant> {
  // As `Operations` does: a refusal at once and one that comes later are the same to who asks.
  return (async () => new Endpoint({ authorize: (() => answer) as Authorize }).ask(question, { now: () => NOW_MS }))();
}

describe('HF-5.10: only what is clearly a grant allows', () => {
  test.each<[unknown, Grant]>([
    [true, {}],
    [{ floor: 3 }, { floor: 3 }],
    [Promise.resolve(true), {}],
    [Promise.resolve({ untilMs: NOW_MS + 1 }), { untilMs: NOW_MS + 1 }],
  ])('%o', async (answer, grant) => {
    expect(await ask(answer)).toEqual(grant);
  });

  // oxlint-disable-next-line unicorn/no-thenable -- what a promise of another library is
  const foreignNo = { then: (resolve: (answer: boolean) => void): void => resolve(false) };

  test.each([false, undefined, null, 0, 1, 'yes', Promise.resolve(false), Promise.resolve(undefined), foreignNo])(
    '%o does not',
    async (answer) => {
      await expect(ask(answer)).rejects.toMatchObject({ code: 'FORBIDDEN', message: '"alice" may not publish "t"' });
    },
  );

  test.each([{ untilMs: NOW_MS }, Promise.resolve({ untilMs: 0 }), { untilMs: 'never' }])(
    'a grant that has ended does not: %o',
    async (answer) => {
      await expect(ask(answer)).rejects.toMatchObject({ code: 'FORBIDDEN', message: 'the right to publish "t" has ended' });
    },
  );

  test('a hook that answers at once is answered at once: no publish loses its turn', () => {
    expect(new Endpoint().ask(question, { now: () => NOW_MS })).toEqual({});
  });
});

describe('HF-2.2: an endpoint has its own topics and methods', () => {
  test('topics by pattern', () => {
    const endpoint = new Endpoint({ topics: ['chat/:room'] });
    expect(['chat/1', 'chat', 'x'].map((topic) => endpoint.hasTopic(topic))).toEqual([true, false, false]);
    expect(new Endpoint().hasTopic('anything')).toBe(true);
  });

  test('methods by their own name only', () => {
    const endpoint = new Endpoint({ methods: { add: () => 1 } });
    expect(endpoint.method('add')({}, { identity: { subject: 'a' }, client: 'c' })).toBe(1);
    for (const name of ['sub', 'constructor', '__proto__']) expect(() => endpoint.method(name)).toThrow(/no method/);
  });
});

describe('the development identity', () => {
  test('is whoever the token claims to be, or a guest', () => {
    expect(anonymous({ ...credentials, token: 'alice' })).toEqual({ subject: 'alice' });
    expect(anonymous({ ...credentials, token: undefined })).toEqual({ subject: 'guest-34567890' });
    expect(anonymous({ ...credentials, token: '' })).toEqual({ subject: 'guest-34567890' });
    expect(() => anonymous({ ...credentials, token: 'x'.repeat(65) })).toThrow(/64 characters/);
  });
});
