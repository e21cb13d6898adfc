/** How attempts are refused, for tests: with which code and words, and that none of them gives the token away. */

// The linter types a test without its package's configuration.
/// <reference types="node" />

import { HoldfastError } from '@holdfast/wire';
import { expect } from 'vitest';

/** The wall clock of the tests, ms: in the middle of a second. */
export const NOW_MS = 1_700_000_000_500;

/** A clock that a test sets. */
export class WallClock {
  nowMs: number = NOW_MS;

  now(): number {
    return this.nowMs;
  }
}

/** The refusal of `attempt`, which must not contain any 12 characters in a row of `secrets`, nor of what they say decoded. */
export async function refusalOf(attempt: () => unknown, ...secrets: readonly string[]): Promise<HoldfastError> {
  let refusal: unknown;
  try {
    await attempt();
  } catch (error) {
    refusal = error;
  }
  expect(refusal).toBeInstanceOf(HoldfastError);
  const told = textOf(refusal);
  for (const piece of secrets.flatMap(piecesOf)) expect(told).not.toContain(piece);
  return refusal as HoldfastError;
}

function piecesOf(secret: string): string[] {
  const parts = secret.split('.').flatMap((part) => [part, Buffer.from(part, 'base64url').toString('latin1')]);
  return parts.flatMap((part) =>
    Array.from({ length: Math.max(1, part.length - 11) }, (_, at) => part.slice(at, at + 12)).filter((text) => text.length > 8),
  );
}

/** All that a log could show of an error: message, hint, stack, own properties, and the same of its causes. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return JSON.stringify(error) ?? '';
  const own = Object.getOwnPropertyNames(error).filter((name) => name !== 'cause');
  const texts = own.map((name) => {
    const value = (error as unknown as Record<string, unknown>)[name];
    return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
  });
  return [...texts, ...(error.cause === undefined ? [] : [textOf(error.cause)])].join('\n');
}
