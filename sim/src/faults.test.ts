import { describe, expect, test } from 'vitest';
import { FAULTS, type Fault } from './faults.ts';
import { parseSelection } from './selection.ts';
import { mutate, runBuild } from './plant.ts';
import type { SeedsOptions } from './seeds.ts';

/** Several times what the slowest of them takes, so that a change elsewhere does not hide one. */
const SEEDS_MAX = 300;

const OPTIONS: SeedsOptions = {
  firstSeed: 1,
  seedCount: SEEDS_MAX,
  steps: 300,
  selection: {},
  isTraced: false,
  isExhaustive: false,
  shrinkRunsMax: 0,
  shrinkMs: 0,
  fault: undefined,
};

describe('planted faults', () => {
  test.for(FAULTS.map((fault) => [fault.name, fault] as const))('%s is found', { timeout: 240_000 }, async ([name, fault]) => {
    const lines: string[] = [];
    expect(await runBuild(fault, OPTIONS, (line) => lines.push(line))).toBe(1);
    const said = lines.join('\n');
    const property = /^VIOLATION of ([a-z-]+): /m.exec(said)?.[1];
    expect(fault.properties).toContain(property);
    expect(said).toMatch(new RegExp(`^ {2}see it: {3}npm run sim -- --seed \\d+ --steps 300.* --fault ${name} --trace$`, 'm'));
    expect(said).toContain(`, with the planted fault ${name}`);
  });

  test('what one of them breaks is made smaller, and still shown by one command', { timeout: 240_000 }, async () => {
    const fault = FAULTS.find(({ name }) => name === 'retry-overtakes')!;
    const lines: string[] = [];
    expect(await runBuild(fault, { ...OPTIONS, shrinkRunsMax: 120, shrinkMs: 60_000 }, (line) => lines.push(line), 2)).toBe(1);
    const [, steps, calamities] = /^ {2}smallest: (\d+) steps, (\d+) calamities, /m.exec(lines.join('\n')) ?? [];
    expect(Number(steps)).toBeLessThan(150);
    expect(Number(calamities)).toBeLessThan(10);
    const [, seed, count, strikes] = / --seed (\d+) --steps (\d+) .*--strikes ([\d,]+|none) .*--trace$/m.exec(lines.at(-2)!) ?? [];
    expect(count).toBe(steps);
    const selection = { ...parseSelection({ strikes }), ...boundsOf(lines.at(-2)!) };
    const again: string[] = [];
    const once = { ...OPTIONS, firstSeed: Number(seed), seedCount: 1, steps: Number(steps), selection };
    expect(await runBuild(fault, once, (line) => again.push(line))).toBe(1);
    expect(again.join('\n')).toContain('VIOLATION of publish-order');
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

/** The bounds in a command that was printed. */
function boundsOf(command: string): ReturnType<typeof parseSelection> {
  const value = (name: string): string | undefined => new RegExp(` --${name} (\\d+)`).exec(command)?.[1];
  return parseSelection({ devices: value('devices'), topics: value('topics'), rounds: value('rounds'), consumers: value('consumers') });
}
