import { expect, test } from 'vitest';
import { Turnstile } from './turnstile.ts';
import { turn } from './virtual-clock.testing.ts';

test('HF-5.12: so many at a time, the rest in the order in which they came, failures included', async () => {
  const turnstile = new Turnstile(2);
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
