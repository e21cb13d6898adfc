import * as fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { encodeClientMessage } from './client-frames.ts';
import { ERROR_TEXTS } from './code-texts.ts';
import { ERROR_CODES, type ErrorCode } from './codes.ts';
import { HoldfastError } from './error.ts';
import { DEFAULT_LIMITS } from './limits.ts';
import { clientMessages } from './messages.testing.ts';
import { errorMessage, ServerSession, type Received } from './server-session.ts';

const HELLO = '{"type":"hello","client":"tab-1"}';
const PING = '{"type":"ping"}';
const PROTOCOL_CLOSE = 4000;

let session: ServerSession;

beforeEach(() => {
  session = new ServerSession({ limits: DEFAULT_LIMITS, topicOf: (number) => (number === 7 ? 'chat/42' : undefined) });
});

function open(): void {
  session.receive(HELLO);
  session.welcomed();
}

function violation(received: Received): Extract<Received, { kind: 'violation' }> {
  if (received.kind !== 'violation') expect.unreachable(`a ${received.kind}`);
  return received;
}

describe('HF-3.1: the first frame', () => {
  test('the phases of a connection', () => {
    expect(session.phase).toBe('greeting');
    expect(session.receive(HELLO)).toEqual({ kind: 'message', message: { type: 'hello', client: 'tab-1' } });
    expect(session.phase).toBe('welcoming');
    session.welcomed();
    expect(session.phase).toBe('open');
    expect(session.receive(PING)).toEqual({ kind: 'message', message: { type: 'ping' } });
    session.close();
    expect(session.phase).toBe('closed');
  });

  test('HF-3.7: what comes between hello and welcome is taken', () => {
    session.receive(HELLO);
    expect(session.receive('{"type":"subscribe","id":1,"topic":"chat/42"}')).toEqual({
      kind: 'message',
      message: { type: 'subscribe', id: 1, topic: 'chat/42' },
    });
    expect(session.phase).toBe('welcoming');
  });

  test.each([
    ['a legal message', '{"type":"call","id":3,"method":"m"}', '"call" before "hello"', 3],
    [
      'a binary publish',
      encodeClientMessage({ type: 'publish', topic: 'chat/42', producer: 'p', seq: 1, items: [Uint8Array.of(1)] }, 7),
      '"publish" before "hello"',
      undefined,
    ],
    ['a malformed message', '{"type":"call","id":3}', 'the first frame is not a hello: call: "method": want a string, got nothing', 3],
    ['an unknown type', '{"type":"join","text":"hello"}', 'the first frame is not a hello: no message of type "join"', undefined],
    ['no JSON', 'hello', 'the first frame is not a hello: not JSON', undefined],
    ['nothing', '', 'the first frame is not a hello: not JSON', undefined],
    ['unknown bytes', Uint8Array.of(255), 'the first frame is not a hello: a binary frame of kind 255', undefined],
  ])('HELLO_REQUIRED and close 4000 for %s', (_what, frame, message, id) => {
    const { error, close } = violation(session.receive(frame));
    expect(error).toMatchObject({ type: 'error', code: 'HELLO_REQUIRED', retryable: false });
    expect(error.message).toContain(message);
    expect(error.id).toBe(id);
    expect(close).toEqual({ code: PROTOCOL_CLOSE, reason: 'HELLO_REQUIRED' });
    expect(session.phase).toBe('closed');
  });

  test.each([
    ['BAD_FRAME', '{"type":"hello"}', 'hello: "client"'],
    ['BAD_FRAME', '{"type":"hello","client":"a b"}', 'hello: "client"'],
    ['BAD_FRAME', '{"type":"hello","client":"c","subscribe":[{"id":1,"topic":"a b"}]}', 'hello: "subscribe[0].topic"'],
    ['TOO_DEEP', `{"type":"hello","client":"c","more":${'['.repeat(50)}${']'.repeat(50)}}`, 'more than 32 levels'],
    ['FORBIDDEN_KEY', '{"type":"hello","client":"c","__proto__":1}', '__proto__'],
    ['BAD_JSON', '{"type":"hello","client":"c","time":1e999}', 'beyond the range of a double'],
  ])('a hello that cannot be understood is told so: %s for %s', (code, frame, message) => {
    const { error, close } = violation(session.receive(frame));
    expect(error.code).toBe(code);
    expect(error.message).toContain(message);
    expect(close).toEqual({ code: PROTOCOL_CLOSE, reason: code });
    expect(session.phase).toBe('closed');
  });

  test.each(['welcoming', 'open'])('HELLO_TWICE and close 4000 for a second hello while %s', (phase) => {
    session.receive(HELLO);
    if (phase === 'open') session.welcomed();
    expect(session.phase).toBe(phase);
    expect(violation(session.receive(HELLO))).toMatchObject({
      error: { code: 'HELLO_TWICE' },
      close: { code: PROTOCOL_CLOSE, reason: 'HELLO_TWICE' },
    });
    expect(session.phase).toBe('closed');
  });

  test('welcomed() anywhere else is a bug of the caller', () => {
    expect(() => session.welcomed()).toThrow('welcomed() in phase greeting');
    open();
    expect(() => session.welcomed()).toThrow('welcomed() in phase open');
    session.close();
    expect(() => session.welcomed()).toThrow('welcomed() in phase closed');
  });
});

describe('HF-4.1: a frame that cannot be understood', () => {
  test.each([
    ['BAD_JSON', '{"id":7', {}],
    ['BAD_FRAME', '{"type":"call","id":7}', { id: 7 }],
    ['BAD_FRAME', '["call"]', {}],
    ['UNKNOWN_TYPE', '{"type":"shout","id":"x"}', { id: 'x' }],
    ['TOO_DEEP', `{"type":"call","id":7,"method":"m","data":${'['.repeat(99)}${']'.repeat(99)}}`, { id: 7 }],
    ['TOO_MANY_KEYS', `{"type":"call","id":7,"method":"m","data":[${'0,'.repeat(20_000)}0]}`, { id: 7 }],
    [
      'FORBIDDEN_KEY',
      '{"type":"publish","topic":"t","producer":"p","seq":3,"data":{"__proto__":1}}',
      { topic: 't', producer: 'p', seq: 3 },
    ],
    ['BAD_BINARY', Uint8Array.of(1, 9, 1, 65, 1, 0, 0), {}],
    ['BAD_BINARY', Uint8Array.of(), {}],
  ] as const)('%s for %s costs an error and the connection goes on', (code, frame, about) => {
    open();
    const { error, close } = violation(session.receive(frame));
    const { retryable } = ERROR_CODES[code];
    const { hint } = ERROR_TEXTS[code];
    expect(error).toEqual({ type: 'error', code, message: error.message, retryable, hint, ...about });
    expect(error.message).not.toBe('');
    expect(close).toBeUndefined();
    expect(session.receive(PING).kind).toBe('message');
  });

  test('HF-4.2: 16 of them cost an error each, the next ends the connection', () => {
    open();
    for (let count = 1; count <= 16; count++) {
      expect(violation(session.receive(`{"type":"call","id":${count}}`))).toMatchObject({ error: { code: 'BAD_FRAME', id: count } });
      expect(session.receive(PING).kind).toBe('message');
    }
    expect(session.phase).toBe('open');
    expect(violation(session.receive('{"type":"call","id":17}'))).toMatchObject({
      error: { code: 'TOO_MANY_ERRORS', id: 17 },
      close: { code: PROTOCOL_CLOSE, reason: 'TOO_MANY_ERRORS' },
    });
    expect(session.phase).toBe('closed');
  });

  test('after the end nothing is carried out and nothing is answered', () => {
    open();
    session.close();
    for (const frame of [HELLO, PING, 'nonsense', Uint8Array.of(1)]) expect(session.receive(frame)).toEqual({ kind: 'ignored' });
    expect(session.phase).toBe('closed');
  });

  test('HF-9.1: a binary publish by number', () => {
    open();
    const frame = encodeClientMessage({ type: 'publish', topic: 'chat/42', producer: 'p', seq: 1, items: [Uint8Array.of(1)] }, 7);
    expect(session.receive(frame)).toEqual({
      kind: 'message',
      message: { type: 'publish', topic: 'chat/42', producer: 'p', seq: 1, items: [Uint8Array.of(1)] },
    });
  });
});

describe('HF-4: whatever comes', () => {
  test('every legal message but hello is taken when open', () => {
    open();
    fc.assert(
      fc.property(
        clientMessages.filter(({ type }) => type !== 'hello'),
        (message) => {
          expect(session.receive(encodeClientMessage(message))).toStrictEqual({ kind: 'message', message });
        },
      ),
    );
  });

  test('no sequence of frames makes it throw or go on after its end, and every error is a line of JSON with a code of the table', () => {
    const frames = fc.oneof(
      clientMessages.map((message) => encodeClientMessage(message)),
      fc.string(),
      fc.json(),
      fc.uint8Array(),
      fc.constantFrom(HELLO, PING),
    );
    fc.assert(
      fc.property(fc.array(frames, { maxLength: 30 }), (sequence) => {
        const { receive, phase } = scripted();
        for (const frame of sequence) {
          const wasClosed = phase() === 'closed';
          const received = receive(frame);
          expect(received.kind === 'ignored').toBe(wasClosed);
          if (received.kind !== 'violation') continue;
          expect(Object.hasOwn(ERROR_CODES, received.error.code)).toBe(true);
          expect(JSON.parse(JSON.stringify(received.error))).toEqual(received.error);
          expect(received.close !== undefined).toBe(phase() === 'closed');
        }
      }),
      { numRuns: 300 },
    );
  });
});

/** A session whose hello is welcomed at once. */
function scripted(): { receive: (frame: string | Uint8Array) => Received; phase: () => string } {
  const fresh = new ServerSession({ limits: DEFAULT_LIMITS, topicOf: () => undefined });
  return {
    receive: (frame) => {
      const received = fresh.receive(frame);
      if (fresh.phase === 'welcoming') fresh.welcomed();
      return received;
    },
    phase: () => fresh.phase,
  };
}

describe('HF-10.1: the error message', () => {
  test('has only what there is', () => {
    const code: ErrorCode = 'BAD_JSON';
    expect(errorMessage(new HoldfastError(code))).toStrictEqual({
      type: 'error',
      code,
      message: ERROR_TEXTS[code].meaning,
      hint: ERROR_TEXTS[code].hint,
      retryable: false,
    });
    expect(errorMessage(new HoldfastError(code), { id: undefined })).not.toHaveProperty('id');
  });

  test.each([
    [0, 0],
    [0.2, 1],
    [-5, 0],
    [Number.NaN, undefined],
    [Number.POSITIVE_INFINITY, undefined],
  ])('HF-1.3: a retryAfterMs of %d is sent as %s', (given, sent) => {
    expect(errorMessage(new HoldfastError('OVERLOADED', 'too busy', { retryAfterMs: given })).retryAfterMs).toBe(sent);
  });

  test('carries what it belongs to', () => {
    const error = new HoldfastError('OVERLOADED', 'too busy', { retryAfterMs: 500, hint: 'wait' });
    expect(errorMessage(error, { id: 0, topic: 't', producer: 'p', seq: 3 })).toStrictEqual({
      type: 'error',
      code: 'OVERLOADED',
      message: 'too busy',
      hint: 'wait',
      retryable: true,
      retryAfterMs: 500,
      id: 0,
      topic: 't',
      producer: 'p',
      seq: 3,
    });
  });
});
