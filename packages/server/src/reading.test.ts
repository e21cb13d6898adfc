import { DEFAULT_LIMITS, parseReadPage, utf8Length, type Json, type Limits } from '@holdfast/wire';
import { beforeEach, describe, expect, test } from 'vitest';
import { CursorStage } from './cursor.testing.ts';
import type { Kind } from './kind.ts';
import { readForViewer, type ReadingOptions } from './reading.ts';
import type { Grant } from './rights.ts';
import type { Payload, Range } from './store.ts';

let stage: CursorStage;

beforeEach(() => {
  begin();
});

function begin(kind?: Kind): void {
  stage = new CursorStage({ ...(kind === undefined ? {} : { kind }), page: { countMax: 4, bytesMax: 1e6 } });
}

async function options({
  grant = {},
  limits = {},
}: { readonly grant?: Grant; readonly limits?: Partial<Limits> } = {}): Promise<ReadingOptions> {
  const { store, reads, page } = stage;
  return { log: await stage.log(), store, reads, page, limits: { ...DEFAULT_LIMITS, ...limits }, viewer: { subject: 'viewer' }, grant };
}

async function offsets(range: Range, count = 100, more: Parameters<typeof options>[0] = {}): Promise<number[]> {
  const page = parseReadPage(await readForViewer(await options(more), range, count));
  return page.entries.map(({ offset }) => offset);
}

function publish(...payloads: Payload[]): Promise<void> {
  for (const payload of payloads) {
    const request = { topic: 't', identity: { subject: 's' }, producer: `x${Math.random()}`, seq: 1, digest: '', payloads: [payload] };
    stage.sequencer.publish(request, () => undefined);
  }
  return stage.clock.settle();
}

describe('HF-7.3: fewer entries than asked for mean an end', () => {
  test('over as many pages as it takes, both ways', async () => {
    await stage.fill(10);
    expect(await offsets({ after: 1 }, 7)).toEqual([2, 3, 4, 5, 6, 7, 8]);
    expect(await offsets({ before: 10 }, 7)).toEqual([3, 4, 5, 6, 7, 8, 9]);
    expect(await offsets({ after: 0 })).toHaveLength(10);
    expect(await offsets({ before: 99 })).toHaveLength(10);
  });

  test('whatever is hidden in between (HF-5.6, decision 12)', async () => {
    begin({ name: 'ends', isVisible: ({ offset }) => offset < 3 || offset > 28 });
    await stage.fill(30);
    expect(await offsets({ after: 1 }, 2)).toEqual([2, 29]);
    expect(await offsets({ before: 30 }, 3)).toEqual([1, 2, 29]);
    expect(await offsets({ after: 2 }, 1)).toEqual([29]);
    expect(stage.store.countOf('read')).toBeLessThan(25);
  });

  test('nothing at all', async () => {
    expect(await readForViewer(await options(), { after: 0 }, 5)).toMatchObject({ first: 1, last: 0, entries: [] });
    expect(await offsets({ before: 1 })).toEqual([]);
  });
});

describe('what may be seen', () => {
  test('HF-5.10, decision 15: nothing below the floor', async () => {
    await stage.fill(10);
    const grant = { floor: 7 };
    expect(await offsets({ after: 0 }, 2, { grant })).toEqual([7, 8]);
    expect(await offsets({ before: 9 }, 100, { grant })).toEqual([7, 8]);
    expect(await readForViewer(await options({ grant }), { after: 0 }, 1)).toMatchObject({ first: 7, last: 10 });
  });

  test('HF-5.4: nothing that is not announced', async () => {
    await stage.fill(2);
    stage.store.hold('apply', 'after');
    stage.publish(2);
    await stage.clock.settle();
    expect(await offsets({ after: 0 })).toEqual([1, 2]);
    expect(await offsets({ before: 9 })).toEqual([1, 2]);
  });

  test('while the log begins anew it is refused as retryable, not mixed', async () => {
    await stage.fill(2);
    const asked = await options();
    await stage.store.remove('t');
    await expect(readForViewer(asked, { after: 0 }, 5)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: true });
  });
});

describe('the answer fits into a frame', () => {
  const frameBytesMax = 8_192;
  const reply = (data: Json): string => JSON.stringify({ type: 'reply', id: 'x'.repeat(64), data });

  test.each<[string, () => Payload]>([
    ['JSON', () => JSON.stringify('x'.repeat(500))],
    ['JSON of many bytes in few characters', () => JSON.stringify('語'.repeat(500))],
    ['JSON of escapes', () => JSON.stringify('\u0001"\\'.repeat(100))],
    ['bytes, which travel as base64', () => new Uint8Array(700)],
    ['next to nothing', () => '1'],
  ])('of %s', async (_what, payload) => {
    await publish(...Array.from({ length: 80 }, payload));
    for (const range of [{ after: 0 }, { before: 81 }]) {
      const data = await readForViewer(await options({ limits: { frameBytesMax } }), range, 1_000);
      const { entries } = parseReadPage(data);
      expect(utf8Length(reply(data))).toBeLessThanOrEqual(frameBytesMax);
      expect(entries.length).toBeGreaterThanOrEqual(4);
      expect('after' in range ? entries[0]!.offset : entries.at(-1)!.offset).toBe('after' in range ? 1 : 80);
      expect(entries.map(({ offset }) => offset)).toEqual(entries.map((_, index) => entries[0]!.offset + index));
    }
  });

  test('one at least, however large: who reads on must get on', async () => {
    await publish(JSON.stringify('x'.repeat(9_000)), '1');
    expect(await offsets({ after: 0 }, 10, { limits: { frameBytesMax } })).toEqual([1]);
    expect(await offsets({ after: 1 }, 10, { limits: { frameBytesMax } })).toEqual([2]);
  });
});
