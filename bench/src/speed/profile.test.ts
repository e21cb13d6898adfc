/** Profiles by part: of made-up samples exactly, and of a real server. */

import { describe, expect, test } from 'vitest';
import { canLoad } from '../load/load-generator.ts';
import { QUICK_PLAN } from './command.ts';
import { CONTENDERS, OURS } from './contenders.ts';
import { partOf, profile, profileTable, sharesOf, PARTS } from './profile.ts';
import { SCENARIOS } from './scenarios.ts';

describe('a profile by part', () => {
  test.each([
    ['(idle)', '', undefined],
    ['(garbage collector)', '', 'garbage'],
    ['writeBuffer', '', 'write'],
    ['utf8Slice', '', 'node'],
    ['onParserExecuteCommon', 'node:_http_server', 'http'],
    ['writeOrBuffer', 'node:internal/streams/writable', 'node'],
    ['startLoop', 'file:///x/node_modules/ws/lib/receiver.js', 'ws'],
    ['parseJson', 'file:///x/packages/wire/dist/json.js', 'wire'],
    ['deliver', 'file:///x/packages/server/dist/topic.js', 'server'],
  ] as const)('%s of "%s" is of %s', (functionName, url, part) => {
    expect(partOf({ functionName, url })).toBe(part);
  });

  test('counts the busy time of the window, and nothing before it', () => {
    const frame = (functionName: string): { functionName: string; url: string } => ({ functionName, url: '' });
    const nodes = ['(idle)', 'writeBuffer', '(garbage collector)'].map((name, at) => ({ id: at + 1, callFrame: frame(name) }));
    const recorded = { nodes, startTime: 0, endTime: 10_000, samples: [2, 1, 2, 3, 2], timeDeltas: [2_000, 3_000, 1_000, 1_000, 3_000] };
    expect(sharesOf(recorded, 5)).toMatchObject({ write: 0.8, garbage: 0.2, server: 0 });
    expect(sharesOf(recorded, 10)).toMatchObject({ write: 6 / 7, garbage: 1 / 7 });
    expect(() => sharesOf({ ...recorded, samples: [1, 1, 1, 1, 1] }, 10)).toThrow(/no sample/);
  });

  test.skipIf(!canLoad())('of a real server adds up', async () => {
    const scenario = SCENARIOS.find(({ name }) => name === 'call')!;
    const contender = CONTENDERS.find(({ name }) => name === OURS)!;
    const row = await profile(scenario, contender, QUICK_PLAN);
    expect(Object.values(row.parts).reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 6);
    expect(row.parts.write).toBeGreaterThan(0);
    expect(profileTable([row]).split('\n')[0]).toContain(PARTS.write);
  });
});
