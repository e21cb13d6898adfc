import { describe, expect, test } from 'vitest';
import { errorText as clientErrorText, CLIENT_TEXTS } from './client-code-texts.ts';
import { CLOSE_TEXTS, ERROR_TEXTS } from './code-texts.ts';
import { errorText as productionErrorText } from './production-code-texts.ts';
import { CLOSE_CODES, closeAdvice, ERROR_CODES, isErrorCode, type ErrorCode, type ErrorCodeRow } from './codes.ts';
import { HoldfastError } from './error.ts';

const ROWS = Object.entries(ERROR_CODES) as [ErrorCode, ErrorCodeRow][];

describe('HF-10: the table of errors', () => {
  test.each(ROWS)('%s is a whole row', (code, { retryable, source }) => {
    const { meaning, hint } = ERROR_TEXTS[code];
    expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/);
    expect(typeof retryable).toBe('boolean');
    expect(['protocol', 'refusal', 'usage', 'store', 'connection']).toContain(source);
    expect(meaning).toMatch(/^[A-Z].*\.$/);
    expect(hint).toMatch(/^[A-Z].*\.$/);
  });

  // HF-6.4 and HF-6.6 name them: what is retryable stops a producer, what is not spends a seq.
  test.each(['FORBIDDEN', 'UNKNOWN_TOPIC', 'REFUSED', 'HEAD_MISMATCH', 'TOO_LARGE'] as const)('HF-6.4: %s is terminal', (code) => {
    expect(ERROR_CODES[code].retryable).toBe(false);
  });

  test.each(['OVERLOADED', 'STORE_UNAVAILABLE', 'STORE_READ_ONLY', 'INTERNAL', 'GOING_AWAY', 'PIPELINE_STOPPED', 'RATE_LIMITED'] as const)(
    'HF-6.6: %s is retryable',
    (code) => {
      expect(ERROR_CODES[code].retryable).toBe(true);
    },
  );

  test('every sentence belongs to a code', () => {
    expect(Object.keys(ERROR_TEXTS).filter((code) => !isErrorCode(code))).toEqual([]);
    expect(Object.keys(CLOSE_TEXTS)).toEqual(Object.keys(CLOSE_CODES));
  });

  test('a browser has the sentences of the codes that a client raises, and no others', () => {
    expect(clientErrorText('CLOSED')).toBe(CLIENT_TEXTS.CLOSED);
    expect(clientErrorText('STORE_CORRUPT')).toBeUndefined();
  });

  test('in production a browser has the same sentences of what people are shown, and no advice', () => {
    const shown = ROWS.map(([code]) => [code, productionErrorText(code)] as const).filter(([, text]) => text !== undefined);
    expect(shown.map(([code]) => code)).toContain('CONNECTION_LOST');
    expect(productionErrorText('BAD_JSON')).toBeUndefined();
    for (const [code, text] of shown) expect(text).toEqual({ meaning: ERROR_TEXTS[code].meaning, hint: '' });
  });

  test('isErrorCode knows the table, and no property of objects', () => {
    expect(ROWS.every(([code]) => isErrorCode(code))).toBe(true);
    expect(['', 'bad_json', 'constructor', 'toString', '__proto__'].some(isErrorCode)).toBe(false);
  });
});

describe('HF-11.1: close codes', () => {
  test.each([
    [4000, 'stop'],
    [4001, 'stop'],
    [4002, 'stop'],
    [4099, 'stop'],
    [4100, 'back-off'],
    [4101, 'back-off'],
    [4199, 'back-off'],
    [4200, 'resume'],
    [4201, 'resume'],
    [4202, 'resume'],
    [4203, 'resume'],
    [4299, 'resume'],
    [4300, 'reauthenticate'],
    [4399, 'reauthenticate'],
    [4400, 'resume'],
    [3999, 'resume'],
    [1000, 'resume'],
    [1001, 'resume'],
    [1006, 'resume'],
    [1011, 'resume'],
    [1012, 'resume'],
    [4999, 'resume'],
  ])('%d: %s', (code, advice) => {
    expect(closeAdvice(code)).toBe(advice);
  });

  test('each code of the table is in a range and comes once', () => {
    const codes = Object.values(CLOSE_CODES).map(({ code }) => code);
    expect(codes.every((code) => code >= 4000 && code <= 4399)).toBe(true);
    expect(new Set(codes).size).toBe(codes.length);
  });
});

describe('HoldfastError', () => {
  test('takes what is not given from the table', () => {
    const error = new HoldfastError('OVERLOADED');
    expect(error).toBeInstanceOf(Error);
    expect(error.name).toBe('HoldfastError');
    expect(error.message).toBe(ERROR_TEXTS.OVERLOADED.meaning);
    expect(error.hint).toBe(ERROR_TEXTS.OVERLOADED.hint);
    expect(error.retryable).toBe(true);
    expect(error.retryAfterMs).toBeUndefined();
    expect('cause' in error).toBe(false);
  });

  test('keeps what is given', () => {
    const cause = new Error('disk full');
    const error = new HoldfastError('STORE_READ_ONLY', 'cannot write', { hint: 'free some space', retryAfterMs: 500, cause });
    expect(error).toMatchObject({ message: 'cannot write', hint: 'free some space', retryAfterMs: 500, cause });
  });
});
