import { expect, test } from 'vitest';
import { Watched } from './observable.ts';

test('one function subscribed twice is two subscriptions', async () => {
  let value = 0;
  let calls = 0;
  const watched = new Watched(() => value);
  const count = (): void => {
    calls += 1;
  };
  const [end] = [watched.subscribe(count), watched.subscribe(count)];
  value = 1;
  watched.touch();
  await Promise.resolve();
  end();
  value = 2;
  watched.touch();
  await Promise.resolve();
  expect(calls).toBe(3);
});

test('a value that is back before anybody was told has not changed', async () => {
  let value = 0;
  let calls = 0;
  const watched = new Watched(() => value);
  watched.subscribe(() => (calls += 1));
  value = 1;
  watched.touch();
  value = 0;
  await Promise.resolve();
  expect(calls).toBe(0);
});

test('a listener that fails is reported, and keeps nothing from the others', async () => {
  const reported: unknown[] = [];
  const platform = globalThis as { reportError?: (error: unknown) => void };
  const { reportError } = platform;
  platform.reportError = (error) => reported.push(error);
  try {
    let value = 0;
    let calls = 0;
    const watched = new Watched(() => value);
    watched.subscribe(() => {
      throw new Error('of the application');
    });
    watched.subscribe(() => (calls += 1));
    value = 1;
    watched.touch();
    await Promise.resolve();
    expect([calls, reported]).toEqual([1, [new Error('of the application')]]);
  } finally {
    if (reportError === undefined) delete platform.reportError;
    else platform.reportError = reportError;
  }
});
