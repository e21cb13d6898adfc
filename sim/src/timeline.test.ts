import { describe, expect, test } from 'vitest';
import { Chance } from './random.ts';
import { Process } from './process.ts';
import { Timeline } from './timeline.ts';

function unexpected(error: unknown): never {
  throw error;
}
const never = (): boolean => false;

describe('the timeline', () => {
  test('events happen in the order of their times, and of their making where times are equal', async () => {
    const timeline = new Timeline(unexpected);
    const chance = new Chance(1);
    const seen: [number, number][] = [];
    for (let made = 0; made < 500; made++) {
      const atMs = chance.integer(0, 40);
      timeline.at(atMs, () => seen.push([timeline.nowMs, made]));
    }
    await timeline.run(Infinity, never);
    expect(seen).toEqual([...seen].sort(([one, first], [other, second]) => one - other || first - second));
    expect(seen).toHaveLength(500);
  });

  test('every microtask of an event runs before the next event', async () => {
    const timeline = new Timeline(unexpected);
    const seen: string[] = [];
    timeline.at(1, () => {
      void (async () => {
        for (let n = 0; n < 5; n++) await Promise.resolve();
        seen.push('the last microtask of the first');
      })();
    });
    timeline.at(1, () => seen.push('the second'));
    await timeline.run(Infinity, never);
    expect(seen).toEqual(['the last microtask of the first', 'the second']);
  });

  test('stops at its time and goes on from there; what is cancelled does not happen; what is past happens now', async () => {
    const timeline = new Timeline(unexpected);
    const seen: number[] = [];
    timeline.at(10, () => seen.push(10));
    timeline.at(20, () => seen.push(20)).cancel();
    timeline.at(30, () => timeline.at(5, () => seen.push(timeline.nowMs)));
    await timeline.run(15, never);
    expect([timeline.nowMs, seen]).toEqual([15, [10]]);
    await timeline.run(Infinity, never);
    expect([timeline.eventCount, seen]).toEqual([3, [10, 30]]);
  });

  test('what an event throws is reported, and the next one happens', async () => {
    const errors: unknown[] = [];
    const timeline = new Timeline((error) => errors.push(error));
    timeline.at(1, () => unexpected(new Error('one')));
    timeline.at(2, () => unexpected(new Error('two')));
    await timeline.run(Infinity, never);
    expect(errors).toEqual([new Error('one'), new Error('two')]);
  });
});

describe('a process', () => {
  function world(): { timeline: Timeline; process: Process; seen: string[] } {
    const timeline = new Timeline(unexpected);
    return { timeline, process: new Process('p', timeline, new Chance(1), { skewMs: 1_000 }, 5), seen: [] };
  }

  test('a dead one never acts again: no timer, no promise, nothing deferred, nothing that arrives', async () => {
    const { timeline, process, seen } = world();
    process.setTimeout(() => seen.push('timer'), 10);
    process.defer(() => seen.push('deferred'));
    void process.sleep(10).then(() => seen.push('slept'));
    timeline.at(10, () => process.run(() => seen.push('arrived')));
    process.kill();
    await timeline.run(Infinity, never);
    expect([seen, process.timerCount]).toEqual([[], 0]);
  });

  test('a frozen one takes what came meanwhile first, in order, and its clock goes on', async () => {
    const { timeline, process, seen } = world();
    process.freeze();
    timeline.at(1, () => process.run(() => seen.push('first')));
    timeline.at(2, () => process.run(() => seen.push('second')));
    timeline.at(3, () => process.thaw());
    timeline.at(3, () => process.run(() => seen.push('third, at the moment of the thaw')));
    const before = process.now();
    await timeline.run(Infinity, never);
    expect(seen).toEqual(['first', 'second', 'third, at the moment of the thaw']);
    expect(process.now() - before).toBe(3);
  });

  test('a timer that fell due in the frost can still be cleared', async () => {
    const { timeline, process, seen } = world();
    const timer = process.setTimeout(() => seen.push('timer'), 5);
    process.setTimeout(() => process.clearTimeout(timer), 4);
    process.freeze();
    timeline.at(10, () => process.thaw());
    await timeline.run(Infinity, never);
    expect([seen, process.timerCount]).toEqual([[], 0]);
  });

  test('what is deferred keeps its order and comes within a turn', async () => {
    const { timeline, process } = world();
    const seen: number[] = [];
    for (let n = 0; n < 20; n++) process.defer(() => seen.push(n));
    await timeline.run(5, never);
    expect(seen).toEqual(Array.from({ length: 20 }, (_, n) => n));
  });
});
