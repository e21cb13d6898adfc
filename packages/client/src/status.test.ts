import { HoldfastError } from '@holdfast/wire';
import { describe, expect, it } from 'vitest';
import type { Phase } from './connection-machine.ts';
import { describeStatus } from './status.ts';

const words = (
  phase: Phase,
  more: { attempt?: number; retryAtMs?: number; queuedCount?: number; lastError?: HoldfastError } = {},
): string => describeStatus({ phase, attempt: 0, retryAtMs: undefined, queuedCount: 0, lastError: undefined, ...more }, { nowMs: 10_000 });

describe('describeStatus', () => {
  it('says each phase in words', () => {
    expect(words('idle')).toBe('not connected');
    expect([words('connecting'), words('connecting', { attempt: 1 })]).toEqual(['connecting', 'reconnecting']);
    expect([words('open'), words('offline')]).toEqual(['connected', 'offline']);
    expect(words('suspect')).toBe('no answer, checking the connection');
    expect([words('closed'), words('closed', { lastError: new HoldfastError('CLOSED', 'the name is taken') })]).toEqual([
      'closed',
      'stopped: the name is taken',
    ]);
  });

  it('counts the seconds up to the next attempt, and what waits', () => {
    expect(words('waiting', { retryAtMs: 12_400, queuedCount: 4 })).toBe('reconnecting in 3 s, 4 messages waiting');
    expect(words('waiting', { retryAtMs: 9_000, queuedCount: 1 })).toBe('reconnecting, 1 message waiting');
  });

  it('says it in other words', () => {
    const status = { phase: 'waiting', attempt: 1, retryAtMs: 12_400, queuedCount: 4, lastError: undefined } as const;
    const german = { waiting: (seconds: number) => `neuer Versuch in ${seconds} s`, queued: (count: number) => `${count} warten` };
    expect(describeStatus(status, { words: german, nowMs: 10_000 })).toBe('neuer Versuch in 3 s, 4 warten');
  });
});
