import { expect, test } from 'vitest';
import { OwnPublishes } from './own-publishes.ts';
import { turn } from './virtual-clock.testing.ts';

test('waits for what was begun before, in that topic, and for nothing else', async () => {
  const own = new OwnPublishes();
  const log: string[] = [];
  const [first, second, third, elsewhere] = [{}, {}, {}, {}];
  own.begin('t', first!);
  own.begin('t', second!);
  own.begin('u', elsewhere!);
  void own.settled('t').then(() => log.push('behind two'));
  own.begin('t', third!);
  void own.settled('t').then(() => log.push('behind three'));
  void own.settled('v').then(() => log.push('behind none'));
  await turn();
  expect([own.count, log.splice(0)]).toEqual([4, ['behind none']]);
  own.end('t', second!);
  own.end('t', second!);
  await turn();
  expect([own.count, log.splice(0)]).toEqual([3, []]);
  own.end('t', first!);
  await turn();
  expect(log.splice(0)).toEqual(['behind two']);
  own.end('t', third!);
  await turn();
  expect([own.count, log]).toEqual([1, ['behind three']]);
});
