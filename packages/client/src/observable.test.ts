import { describe, expect, it } from 'vitest';
import { Computed } from './observable.ts';
import { settle } from './virtual-clock.testing.ts';

describe('observable state', () => {
  it('computes only when somebody looks, and keeps the reference until it changes', () => {
    let computed = 0;
    const state = new Computed(() => ({ n: ++computed }));
    state.touch();
    state.touch();
    expect(computed).toBe(0);
    const { getSnapshot } = state;
    expect(getSnapshot()).toBe(getSnapshot());
    state.touch();
    expect(getSnapshot()).toEqual({ n: 2 });
  });

  it('calls back once for all changes of a turn, and not after the end', async () => {
    const state = new Computed(() => 0);
    const calls: string[] = [];
    const { subscribe } = state;
    const listener = (): void => void calls.push('same');
    const [first, second] = [subscribe(listener), subscribe(listener)];
    state.touch();
    state.touch();
    expect(calls).toEqual([]);
    await settle();
    expect(calls).toEqual(['same', 'same']);
    first();
    first();
    state.touch();
    await settle();
    expect(calls).toHaveLength(3);
    state.touch();
    second();
    await settle();
    expect(calls).toHaveLength(3);
  });

  it('a listener that throws is the application’s error, and disturbs nobody', async () => {
    const errors: unknown[] = [];
    const note = (error: unknown): void => void errors.push(error);
    const before = process.listeners('unhandledRejection');
    process.removeAllListeners('unhandledRejection');
    process.on('unhandledRejection', note);
    try {
      const state = new Computed(() => 0);
      let calls = 0;
      state.subscribe(() => {
        throw new Error('mine');
      });
      state.subscribe(() => (calls += 1));
      state.touch();
      await settle();
      await settle();
      expect([calls, errors]).toEqual([1, [new Error('mine')]]);
    } finally {
      process.off('unhandledRejection', note);
      for (const listener of before) process.on('unhandledRejection', listener);
    }
  });
});
