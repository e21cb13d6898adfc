import { describe, expect, test } from 'vitest';
import { FAULTS, type Fault } from './faults.ts';
import { mutate, runBuild } from './plant.ts';

/** Several times what the slowest of them takes, so that a change elsewhere does not hide one. */
const SEEDS_MAX = 300;

describe('planted faults', () => {
  test.for(FAULTS.map((fault) => [fault.name, fault] as const))('%s is found', { timeout: 240_000 }, async ([name, fault]) => {
    const lines: string[] = [];
    const options = { firstSeed: 1, seedCount: SEEDS_MAX, steps: 300, isTraced: false, fault: undefined };
    expect(await runBuild(fault, options, (line) => lines.push(line))).toBe(1);
    const said = lines.join('\n');
    const property = /^VIOLATION of ([a-z-]+): /m.exec(said)?.[1];
    expect(fault.properties).toContain(property);
    expect(said).toMatch(new RegExp(`^ {2}see it: {3}npm run sim -- --seed \\d+ --steps 300 --fault ${name} --trace$`, 'm'));
    expect(said).toContain(`, with the planted fault ${name}`);
  });

  test('one whose text is gone, or there twice, fails loudly', () => {
    const fault: Fault = { name: 'x', does: '', breaks: '', file: 'a.ts', find: 'one', replace: 'two', properties: [] };
    expect(mutate('one', fault)).toBe('two');
    expect(() => mutate('none', { ...fault, find: 'other' })).toThrow(
      'the fault "x" wants its text exactly once in a.ts, and finds it 0 times',
    );
    expect(() => mutate('one one', fault)).toThrow('finds it 2 times');
  });

  test('each has a name of its own', () => {
    expect(new Set(FAULTS.map(({ name }) => name)).size).toBe(FAULTS.length);
  });
});
