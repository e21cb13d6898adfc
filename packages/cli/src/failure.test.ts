import { HoldfastError } from '@holdfast/wire';
import { describe, expect, test } from 'vitest';
import { explain } from './failure.ts';

describe('at a command line', () => {
  test.each<[error: HoldfastError, text: string]>([
    [
      new HoldfastError('UNAUTHENTICATED', 'there is no token'),
      'there is no token. Give one that is good with --token, or in HOLDFAST_TOKEN.',
    ],
    [new HoldfastError('FORBIDDEN', 'no capability to publish "x"'), 'no capability to publish "x".'],
    [new HoldfastError('REFUSED', 'not on Sundays'), 'not on Sundays.'],
    [new HoldfastError('FORBIDDEN', '"bob" is no back end', { hint: 'Use an API key.' }), '"bob" is no back end. Use an API key.'],
  ])('%s', (error, text) => {
    expect(explain(error)).toEqual({ text, exitCode: 1 });
  });
});
