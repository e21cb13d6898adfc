import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FramedEntry, markRuns } from './framed-entry.ts';

function framed(first: number, payloads: readonly string[]): FramedEntry[] {
  return payloads.map((payload, at) => new FramedEntry('t', 1, { offset: first + at, producer: 'p', seq: 1, from: 's', at: 1, payload }));
}

test('runs are of two entries and more, end with the offset, the size or the commit, and leave out nothing in between', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), fc.array(fc.constantFrom(1, 100, 9_000), { maxLength: 60 }), (first, sizes) => {
      const entries = framed(
        first,
        sizes.map((size) => 'x'.repeat(size)),
      );
      markRuns(entries);
      let inRuns = 0;
      for (const [at, { run }] of entries.entries()) {
        if (run === undefined) continue;
        const { length } = run.entries;
        inRuns += length;
        expect(length).toBeGreaterThan(1);
        expect(length).toBeLessThanOrEqual(16);
        expect(run.entries).toEqual(entries.slice(at, at + length));
        expect(run.last).toBe(run.entries.at(-1)!.entry.offset);
        expect(run.frames.frames).toEqual(run.entries.map(({ frame }) => frame));
        expect(run.frames.bytes).toBe(run.entries.reduce((sum, { frame }) => sum + frame.content.length, 0));
        expect(run.frames.bytes).toBeLessThan(16_384 + 9_000 + 16 * 200);
      }
      const alone = sizes.filter((_, at) => (first + at) % 16 === 1 || at === 0 || (first + at) % 16 === 0 || at === sizes.length - 1);
      if (sizes.every((size) => size === 1)) expect(entries.length - inRuns).toBeLessThanOrEqual(alone.length);
    }),
  );
});

test('a run counts bytes and not characters', () => {
  const entries = framed(1, ['"é"', '"€"']);
  markRuns(entries);
  const { frames } = entries[0]!.run!;
  expect(frames.bytes).toBe(Buffer.byteLength(frames.frames.map(({ content }) => content).join('')));
});
