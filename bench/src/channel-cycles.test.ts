import { expect, it } from 'vitest';
import { cycleChannels, leaksOf, type CycleRow } from './channel-cycles.ts';

it('5,000 channels leave no memory, no handle and no connection behind', async () => {
  expect(leaksOf(await cycleChannels(5_000))).toEqual([]);
}, 120_000);

it('what stays is told', () => {
  const clean: CycleRow = {
    cycles: 10,
    heapBytesBefore: 5_000_000,
    heapBytesAfter: 5_000_000,
    handlesBefore: ['PipeWrap'],
    handlesAfter: ['PipeWrap'],
    seconds: 1,
    ends: { 'local 1000': 4, 'peer 4000': 2, 'local 1006': 2, 'peer 1006': 2 },
    serverConnections: 0,
  };
  expect(leaksOf(clean)).toEqual([]);
  for (const change of [
    { heapBytesAfter: 7_000_000 },
    { handlesAfter: ['PipeWrap', 'Timeout'] },
    { serverConnections: 1 },
    { ends: { 'peer 1006': 10 } },
  ])
    expect(leaksOf({ ...clean, ...change })).toHaveLength(1);
});
