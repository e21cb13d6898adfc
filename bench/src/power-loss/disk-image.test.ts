import { describe, expect, test } from 'vitest';
import { DiskImage } from './disk-image.ts';
import type { DiskEvent } from './recording.ts';

const event = (type: DiskEvent['type'], name: string, offset = 0, bytes = ''): DiskEvent => ({
  type,
  name,
  offset,
  bytes: Buffer.from(bytes),
});

function diskAfter(...events: readonly DiskEvent[]): DiskImage {
  const disk = new DiskImage();
  for (const each of events) disk.take(each);
  return disk;
}

/** What chance decides, in order: how likely a change survives (0 to 1), whether writes are shuffled, and then each change. */
function chance(...values: readonly number[]): () => number {
  const left = [...values];
  return () => left.shift() ?? 0.999;
}

const NOTHING_SURVIVES = [0, 0.9];

/** Each file as text, by name. */
function textsOf(files: ReadonlyMap<string, Buffer>): Record<string, string> {
  return Object.fromEntries([...files].map(([name, content]) => [name, content.toString()]));
}

const made = [event('C', 'a'), event('W', 'a', 0, 'one'), event('S', 'a'), event('S', '.')];

describe('a power cut leaves', () => {
  test('what was synced, and of the rest nothing at the worst', () => {
    const disk = diskAfter(...made, event('W', 'a', 3, ' two'), event('C', 'b'), event('D', 'a'));
    expect(disk.unsyncedCount).toBe(2);
    expect(textsOf(disk.afterCut(chance(...NOTHING_SURVIVES)))).toEqual({ a: 'one' });
  });

  test('everything, at the best', () => {
    const disk = diskAfter(...made, event('W', 'a', 3, ' two'), event('C', 'b'));
    expect(textsOf(disk.afterCut(chance(0.99, 0.9, 0, 0)))).toEqual({ a: 'one two', b: '' });
  });

  test('a synced file without its name, where the folder was not synced', () => {
    const disk = diskAfter(event('C', 'a'), event('W', 'a', 0, 'one'), event('S', 'a'));
    expect(textsOf(disk.afterCut(chance(...NOTHING_SURVIVES)))).toEqual({});
    disk.take(event('S', '.'));
    expect(textsOf(disk.afterCut(chance(...NOTHING_SURVIVES)))).toEqual({ a: 'one' });
  });

  test('a renamed file under one of its names, and a deleted one', () => {
    const disk = diskAfter(...made, event('R', 'a', 0, 'b'));
    expect(textsOf(disk.afterCut(chance(...NOTHING_SURVIVES)))).toEqual({ a: 'one' });
    expect(textsOf(disk.afterCut(chance(0.99, 0.9, 0)))).toEqual({ b: 'one' });
    disk.take(event('D', 'b'));
    expect(textsOf(disk.afterCut(chance(0.5, 0.9, 0.1, 0.9)))).toEqual({ b: 'one' });
  });

  test('a later write without an earlier one, with zeros between', () => {
    const disk = diskAfter(...made, event('W', 'a', 3, 'two'), event('W', 'a', 6, 'three'));
    expect(textsOf(disk.afterCut(chance(0.5, 0.9, 0.9, 0.1, 0.1)))).toEqual({ a: 'one\0\0\0three' });
  });

  test('of two writes to one place the older, where they reached the disk in another order', () => {
    const disk = diskAfter(...made, event('W', 'a', 0, 'two'), event('W', 'a', 0, 'six'));
    expect(textsOf(disk.afterCut(chance(0.99, 0.9, 0, 0)))).toEqual({ a: 'six' });
    expect(textsOf(disk.afterCut(chance(0.99, 0.1, 0, 0, 0)))).toEqual({ a: 'two' });
  });

  test('a write torn at the borders of the sectors of the disk, not of the write', () => {
    const disk = diskAfter(...made, event('W', 'a', 500, 'x'.repeat(1_000)));
    const left = disk.afterCut(chance(0, 0.9, 0.9, 0.9, 0, 0.5)).get('a')!;
    expect(left.length).toBe(1_024);
    expect([left.indexOf('x'), left.toString().replaceAll('\0', '').length]).toEqual([500, 3 + 524]);
  });

  test('an old end, or a new one, where a file was truncated', () => {
    const disk = diskAfter(...made, event('T', 'a', 1));
    expect(textsOf(disk.afterCut(chance(...NOTHING_SURVIVES)))).toEqual({ a: 'one' });
    expect(textsOf(disk.afterCut(chance(0.99, 0.9, 0)))).toEqual({ a: 'o' });
    disk.take(event('W', 'a', 2, '!'));
    disk.take(event('S', 'a'));
    expect(textsOf(disk.afterCut(chance(...NOTHING_SURVIVES)))).toEqual({ a: 'o\0!' });
  });
});
