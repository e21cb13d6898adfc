import { expect, test } from 'vitest';
import { systemClock } from './clock.ts';
import { Turnstile } from './turnstile.ts';
import { turn, VirtualClock } from './virtual-clock.testing.ts';

test('HF-5.12: so many at a time, the rest in the order in which they came, failures included', async () => {
  const turnstile = new Turnstile(2, systemClock);
  const began: number[] = [];
  const finish: ((error?: Error) => void)[] = [];
  const run = (name: number): Promise<number> =>
    turnstile.run(async () => {
      began.push(name);
      await new Promise<void>((resolve, reject) => (finish[name] = (error) => (error === undefined ? resolve() : reject(error))));
      return name;
    });
  const results = Promise.allSettled([0, 1, 2, 3].map(run));
  await turn();
  expect(began).toEqual([0, 1]);
  finish[1]!(new Error('lost'));
  await turn();
  expect(began).toEqual([0, 1, 2]);
  // Nobody slips in between one that leaves and the next in line.
  const late = run(4);
  finish[0]!();
  await turn();
  expect(began).toEqual([0, 1, 2, 3]);
  for (const name of [2, 3]) finish[name]!();
  await turn();
  finish[4]!();
  expect(await late).toBe(4);
  expect((await results).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
});

test('HF-5.12: as many in a turn of the event loop, of those that end at once', async () => {
  const clock = new VirtualClock();
  const turnstile = new Turnstile(3, clock);
  let ended = 0;
  const tasks = Array.from({ length: 8 }, () => turnstile.run(async () => void (ended += 1)));
  const counts: number[] = [];
  while (ended < 8) {
    await turn();
    counts.push(ended);
    clock.runDeferred();
  }
  await Promise.all(tasks);
  expect(counts).toEqual([3, 6, 8]);
  expect(turnstile.waitingCount).toBe(0);
});
