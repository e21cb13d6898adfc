import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { UpgradeQueue } from './upgrade-queue.ts';
import { turn } from './virtual-clock.testing.ts';

test('sixteen in a turn, in their order, without those that ended while they waited', async () => {
  const queue = new UpgradeQueue();
  const streams = Array.from({ length: 40 }, () => new PassThrough());
  const upgraded: number[] = [];
  streams.forEach((stream, at) => queue.add(stream, () => upgraded.push(at)));
  expect([upgraded.length, queue.length]).toEqual([16, 24]);
  // An error of a socket that the HTTP server has let go of would otherwise end the process.
  streams[20]!.destroy(new Error('reset'));
  const counts: number[] = [];
  while (queue.length > 0) {
    await turn();
    counts.push(queue.length);
  }
  expect(counts.filter((count, at) => count !== counts[at - 1])).toEqual([8, 0]);
  expect(upgraded).toEqual(streams.map((_, at) => at).filter((at) => at !== 20));
  expect(streams.every((stream, at) => at === 20 || stream.listenerCount('error') === 0)).toBe(true);
});

test('whoever comes alone does not wait', async () => {
  const queue = new UpgradeQueue();
  let count = 0;
  for (let at = 0; at < 3; at++) {
    queue.add(new PassThrough(), () => (count += 1));
    expect(count).toBe(at + 1);
    await turn();
    await turn();
  }
});

test('newcomers do not overtake those who wait', async () => {
  const queue = new UpgradeQueue();
  const upgraded: number[] = [];
  for (let at = 0; at < 20; at++) queue.add(new PassThrough(), () => upgraded.push(at));
  while (queue.length > 0) {
    await turn();
    queue.add(new PassThrough(), () => upgraded.push(100 + upgraded.length));
  }
  const waited = upgraded.filter((at) => at < 100);
  expect(waited).toEqual(Array.from({ length: 20 }, (_, at) => at));
});

test('one that throws keeps nobody else from their turn', async () => {
  const queue = new UpgradeQueue();
  const upgraded: number[] = [];
  const faults: unknown[] = [];
  const listeners = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.once('uncaughtException', (error) => faults.push(error));
  try {
    for (let at = 0; at < 40; at++)
      queue.add(new PassThrough(), () => {
        if (at === 20) throw new Error('a fault of the program');
        upgraded.push(at);
      });
    while (queue.length > 0) await turn();
  } finally {
    for (const listener of listeners) process.on('uncaughtException', listener);
  }
  expect(faults).toEqual([new Error('a fault of the program')]);
  expect(upgraded).toEqual(Array.from({ length: 40 }, (_, at) => at).filter((at) => at !== 20));
});
