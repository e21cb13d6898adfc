import type { Action, Authorize, Grant, Identity } from '@holdfast/server';
import { HoldfastError } from '@holdfast/wire';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { combineAuthorize, createCapabilities, type Capabilities } from './index.ts';
import { refusalOf } from './refusal.testing.ts';

const identityWith = (holdfast: unknown, subject = 'alice'): Identity => ({ subject, claims: { holdfast } });
const ask = (capabilities: unknown, action: Action, topic: string, subject?: string): unknown =>
  createCapabilities()({ identity: identityWith(capabilities, subject), action, topic });
/** Whether it is allowed; a refusal must be `FORBIDDEN`. */
function allows(capabilities: Capabilities, action: Action, topic: string, subject?: string): boolean {
  try {
    return ask(capabilities, action, topic, subject) !== undefined;
  } catch (error) {
    expect(error).toMatchObject({ code: 'FORBIDDEN' });
    return false;
  }
}

describe('capabilities', () => {
  const capabilities: Capabilities = {
    'chat/:room': ['subscribe', 'publish'],
    'news/*': ['*'],
    'inbox/{subject}': ['subscribe', 'read'],
    'home/{subject}/*': ['publish'],
    time: ['call'],
  };

  test.for<[Action, string, boolean]>([
    ['subscribe', 'chat/42', true],
    ['publish', 'chat/42', true],
    ['read', 'chat/42', false],
    ['subscribe', 'chat', false],
    ['subscribe', 'chat/42/more', false],
    ['members', 'news/today', true],
    ['register', 'news/a/b/c', true],
    ['publish', 'news', false],
    ['subscribe', 'inbox/alice', true],
    ['publish', 'inbox/alice', false],
    ['subscribe', 'inbox/bob', false],
    ['publish', 'home/alice/desk', true],
    ['publish', 'home/bob/desk', false],
    ['call', 'time', true],
    ['subscribe', 'time', false],
    ['call', 'chat/42', false],
  ])('%s %s: %s', ([action, topic, isAllowed]) => {
    expect(allows(capabilities, action, topic)).toBe(isAllowed);
  });

  test('a subject that looks like a pattern, or has a slash, gets no more room', () => {
    for (const subject of ['*', ':room', '{subject}', 'bob/x', '..', '']) {
      expect(allows({ 'inbox/{subject}': ['*'] }, 'subscribe', 'inbox/bob', subject)).toBe(false);
      expect(allows({ 'inbox/{subject}': ['*'] }, 'subscribe', 'inbox/bob/x', subject)).toBe(false);
    }
    expect(allows({ 'inbox/{subject}': ['*'] }, 'subscribe', 'inbox/:room', ':room')).toBe(true);
  });

  test("the server's own topics and methods are met only by patterns that name them", () => {
    for (const pattern of ['*', ':any/*', ':any/tickets', '{subject}/*']) {
      expect(allows({ [pattern]: ['*'] }, 'call', 'holdfast/tickets', 'holdfast')).toBe(false);
    }
    expect(allows({ '*': ['*'] }, 'call', 'holdfasts/tickets')).toBe(true);
    expect(allows({ 'holdfast/*': ['call'] }, 'call', 'holdfast/tickets')).toBe(true);
    expect(allows({ 'holdfast/:what': ['call'] }, 'publish', 'holdfast/revocations')).toBe(false);
  });

  test('a parameter and the subject may stand in one pattern', () => {
    expect(allows({ ':s1/{subject}': ['read'] }, 'read', 'bob/alice')).toBe(true);
    expect(allows({ ':s1/{subject}': ['read'] }, 'read', 'alice/bob')).toBe(false);
  });

  test('the most exact pattern that lists the action gives the grant, wherever it stands', () => {
    const bounded: Capabilities = {
      '*': { actions: ['subscribe'], floor: 4 },
      'chat/*': { actions: ['subscribe'], floor: 3 },
      'chat/:room': { actions: ['subscribe', 'read'], floor: 2 },
      'chat/42': { actions: ['subscribe'], floor: 118, untilMs: 9_000 },
    };
    const reversed = Object.fromEntries(Object.entries(bounded).reverse());
    for (const given of [bounded, reversed]) {
      expect(ask(given, 'subscribe', 'chat/42')).toEqual({ floor: 118, untilMs: 9_000 });
      expect(ask(given, 'read', 'chat/42')).toEqual({ floor: 2 });
      expect(ask(given, 'subscribe', 'chat/43')).toEqual({ floor: 2 });
      expect(ask(given, 'subscribe', 'chat/a/b')).toEqual({ floor: 3 });
      expect(ask(given, 'subscribe', 'news')).toEqual({ floor: 4 });
    }
  });

  test('a plain list is a grant without bounds', () => {
    expect(ask(capabilities, 'subscribe', 'chat/42')).toEqual({});
  });

  test('a refusal says what was missing, and for what there is room', async () => {
    expect(await refusalOf(() => ask({ 'chat/:room': ['publish'], 'news/*': ['publish'] }, 'publish', 'inbox/bob'))).toMatchObject({
      code: 'FORBIDDEN',
      message: 'the credentials have no capability to publish "inbox/bob"; they have for this action: "chat/:room", "news/*"',
    });
    expect(await refusalOf(() => ask({ 'chat/:room': ['publish'] }, 'read', 'chat/42'))).toMatchObject({
      message: 'the credentials have no capability to read "chat/42"; they have none for this action',
    });
    const many = Object.fromEntries(Array.from({ length: 7 }, (_, at) => [`t${at}`, ['read']]));
    expect(await refusalOf(() => ask(many, 'read', 'x'))).toMatchObject({ message: expect.stringMatching(/"t4", 2 more$/) });
  });

  test('of another claim', () => {
    const authorize = createCapabilities({ claim: 'https://example.com/rights' });
    const identity = { subject: 'alice', claims: { 'https://example.com/rights': { x: ['read'] } } };
    expect(authorize({ identity, action: 'read', topic: 'x' })).toEqual({});
  });
});

describe('a claim that cannot be understood allows nothing', () => {
  test.for<[unknown, RegExp]>([
    [undefined, /^the credentials have no capabilities: there is no claim "holdfast"$/],
    [null, /: capabilities are an object of lists/],
    ['chat', /: capabilities are an object of lists/],
    [['chat'], /: capabilities are an object of lists/],
    [{ chat: 'read' }, /: the capability "chat" is neither a list of actions nor/],
    [{ chat: null }, /: the capability "chat" is neither/],
    [{ chat: {} }, /: the capability "chat" has no list of actions/],
    [{ chat: ['raed'] }, /: the capability "chat" has an action "raed" that there is not/],
    [{ chat: [['read']] }, /has an action "\["read"\]" that there is not/],
    [{ chat: [{ toString: '' }] }, /has an action "{"toString":""}" that there is not/],
    [{ chat: ['toString'] }, /has an action "toString" that there is not/],
    [{ chat: { actions: ['read'], flour: 7 } }, /: the capability "chat" has an unknown field "flour"/],
    [{ chat: { actions: ['read'], floor: -1 } }, /: the floor of the capability "chat" is not a whole number/],
    [{ chat: { actions: ['read'], untilMs: '7' } }, /: the untilMs of the capability "chat" is not a whole number/],
    [{ 'chat//x': ['read'] }, /: the topic pattern "chat\/\/x" has a segment ""/],
    [{ 'chat-{subject}': ['read'] }, /has a segment "chat-{subject}" that no topic can have/],
    [{ good: ['read'], 'b ad': ['read'] }, /has a segment "b ad"/],
  ])('%j', async ([claim, message]) => {
    expect(await refusalOf(() => ask(claim, 'read', 'good'))).toMatchObject({ code: 'FORBIDDEN', message: expect.stringMatching(message) });
  });

  test('nor do claims that are no object, or inherited', async () => {
    for (const claims of [undefined, null, 'x', [], Object.create({ holdfast: { '*': ['*'] } })]) {
      const refusal = await refusalOf(() => createCapabilities()({ identity: { subject: 'a', claims }, action: 'read', topic: 'x' }));
      expect(refusal).toMatchObject({ code: 'FORBIDDEN', hint: expect.stringContaining('{"holdfast": ') });
    }
  });

  test('whatever it is, it is answered or refused', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (claim) => {
        try {
          expect(ask(claim, 'read', 'x')).toEqual(expect.any(Object));
        } catch (error) {
          expect(error).toBeInstanceOf(HoldfastError);
        }
      }),
    );
  });
});

describe('combined hooks', () => {
  const question = { identity: { subject: 'alice' }, action: 'read', topic: 'x' } as const;
  const combined = (...answers: readonly unknown[]): unknown =>
    combineAuthorize(
      ...answers.map(
        (answer): Authorize =>
          () =>
            answer as Grant,
      ),
    )(question);

  test.for<[readonly unknown[], unknown]>([
    [[], false],
    [[true], true],
    [[true, true], true],
    [[true, false], false],
    [[true, undefined], false],
    [['yes', true], false],
    [[true, { floor: 7 }], { floor: 7 }],
    [[{ floor: 7, untilMs: 9 }, { floor: 3, untilMs: 5 }, true], { floor: 7, untilMs: 5 }],
    [[{ floor: 7 }, { untilMs: 5 }], { floor: 7, untilMs: 5 }],
    [[{}, {}], {}],
  ])('%j: %j', ([answers, result]) => {
    expect(combined(...answers)).toEqual(result);
  });

  test('the first refusal decides, and nobody is asked after it', async () => {
    const asked: number[] = [];
    const hook = (number: number, answer: boolean): Authorize => {
      return () => (asked.push(number), answer);
    };
    const thrower: Authorize = () => {
      throw new HoldfastError('FORBIDDEN', 'on Sundays');
    };
    expect(combineAuthorize(hook(1, true), hook(2, false), hook(3, true))(question)).toBe(false);
    expect(asked).toEqual([1, 2]);
    expect(await refusalOf(() => combineAuthorize(hook(4, true), thrower, hook(5, true))(question))).toMatchObject({
      message: 'on Sundays',
    });
    expect(asked).toEqual([1, 2, 4]);
  });

  test('promises are waited for', async () => {
    const later = (answer: boolean | Grant): Authorize => {
      return () => Promise.resolve(answer);
    };
    expect(await combineAuthorize(later({ floor: 2 }), () => ({ floor: 5 }), later(true))(question)).toEqual({ floor: 5 });
    expect(await combineAuthorize(() => true, later(false))(question)).toBe(false);
  });
});
