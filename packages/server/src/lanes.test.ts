import { describe, expect, test } from 'vitest';
import { Lanes } from './lanes.ts';
import { turn } from './virtual-clock.testing.ts';

describe('lanes', () => {
  test('tasks of one lane run one after the other, lanes side by side, failures included', async () => {
    const lanes = new Lanes();
    const log: string[] = [];
    const finish = new Map<string, () => void>();
    const task = (lane: string, name: string, fails = false): Promise<string> =>
      lanes.run(lane, async () => {
        log.push(`${name} begins`);
        await new Promise<void>((resolve) => finish.set(name, resolve));
        log.push(`${name} ends`);
        if (fails) throw new Error(name);
        return name;
      });
    const results = Promise.allSettled([task('a', 'a1', true), task('a', 'a2'), task('b', 'b1')]);
    await turn();
    expect(log.splice(0)).toEqual(['a1 begins', 'b1 begins']);
    finish.get('a1')!();
    await turn();
    expect(log.splice(0)).toEqual(['a1 ends', 'a2 begins']);
    finish.get('b1')!();
    finish.get('a2')!();
    expect((await results).map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
  });

  test('the first task of an empty lane begins at once', async () => {
    const lanes = new Lanes();
    let began = false;
    const begin = async (): Promise<void> => void (began = true);
    const first = lanes.run('a', begin);
    expect(began).toBe(true);
    await first;
    await turn();
    began = false;
    const second = lanes.run('a', begin);
    expect(began).toBe(true);
    await second;
  });
});
