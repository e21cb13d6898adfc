import { describe, expect, it } from 'vitest';
import { linkWords, type LinkState } from './link-words.ts';

const OPEN: LinkState = { phase: 'open', attempt: 0, retryAtMs: undefined, queuedCount: 0, uncertainCount: 0, lastError: undefined };

function words(state: Partial<LinkState>, isPulled = false): readonly string[] {
  const { tone, headline, detail, spoken } = linkWords({ ...OPEN, ...state }, isPulled, 10_000);
  return [tone, headline, detail, spoken];
}

describe('linkWords', () => {
  it('says in plain words how the connection is', () => {
    expect(words({})).toEqual(['calm', 'Connected', 'everything is delivered', 'Connected · everything is delivered']);
    expect(words({ queuedCount: 1 })).toEqual(['busy', 'Connected', '1 message on the way', 'Connected · 1 message on the way']);
    expect(words({ phase: 'idle' }).slice(0, 2)).toEqual(['busy', 'Connecting']);
    expect(words({ phase: 'connecting', attempt: 1 }).slice(0, 2)).toEqual(['cut', 'Reconnecting now']);
    expect(words({ phase: 'waiting', queuedCount: 2, uncertainCount: 1 }, true)).toEqual([
      'cut',
      'Unplugged',
      '2 messages waiting · 1 to decide',
      'Unplugged · 2 messages waiting · 1 to decide',
    ]);
  });

  it('counts the seconds down, and spares the ears', () => {
    const waiting = { phase: 'waiting', attempt: 1, queuedCount: 2 } as const;
    expect(words({ ...waiting, phase: 'offline' })[1]).toBe('No network');
    expect(words({ phase: 'suspect' }).slice(0, 2)).toEqual(['busy', 'No answer, asking']);
    expect(words({ ...waiting, retryAtMs: 12_400 })[1]).toBe('Reconnecting in 3 s');
    expect(words({ ...waiting, retryAtMs: 10_001 })[1]).toBe('Reconnecting in 1 s');
    expect(words({ ...waiting, retryAtMs: 9_000 })[1]).toBe('Reconnecting now');
    expect(words({ ...waiting, retryAtMs: 12_400 })[3]).toBe('Reconnecting · 2 messages waiting');
  });

  it('says why it gave up', () => {
    const lastError = Object.assign(new Error('the name is taken'), { code: 'CLOSED' }) as unknown as NonNullable<LinkState['lastError']>;
    expect(words({ phase: 'closed', lastError }).slice(1, 3)).toEqual(['Stopped', 'the name is taken · nothing is waiting']);
  });
});
