/** `npm run sim -- ...`: see README.md. */

import { parseArgs } from 'node:util';
import { FAULTS } from './faults.ts';
import { runSeeds, type SeedsOptions } from './seeds.ts';

const USAGE = `npm run sim -- [options]

  --seeds N     how many runs, each from its own seed (default 100; 1 with --seed)
  --seed S      the first seed (default 1)
  --steps N     actions in one run (default 300)
  --trace       print everything that happens
  --faults      plant every fault, one after the other, and print a table of what found them
  --fault NAME  plant a fault, to see it found: ${FAULTS.map(({ name }) => name).join(', ')}

Exits with 1 if a property is violated, and says how to see it again.`;

const STEPS = 300;

function wholeNumber(text: string | undefined, name: string, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`--${name}: want a whole number, got "${text}"`);
  return value;
}

/** A row for each fault, as it stands in README.md. */
async function plantAll(options: SeedsOptions, print: (line: string) => void): Promise<number> {
  const { runBuild } = await import('./plant.ts');
  print('| fault | what is done wrong | breaks | found as | seeds until then |\n|---|---|---|---|---|');
  let missedCount = 0;
  for (const fault of FAULTS) {
    const lines: string[] = [];
    await runBuild(fault, options, (line) => lines.push(line));
    const said = lines.join('\n');
    const property = /^VIOLATION of ([a-z-]+)/m.exec(said)?.[1];
    if (property === undefined) missedCount += 1;
    const found = property === undefined ? '**not found**' : `\`${property}\``;
    print(`| \`${fault.name}\` | ${fault.does} | ${fault.breaks} | ${found} | ${/^(\d+) seeds, /m.exec(said)?.[1]} |`);
  }
  return missedCount === 0 ? 0 : 1;
}

async function main(): Promise<number> {
  const string = { type: 'string' } as const;
  const { values } = parseArgs({
    options: {
      seeds: string,
      seed: string,
      steps: string,
      fault: string,
      faults: { type: 'boolean' },
      trace: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  });
  if (values.help === true) {
    console.log(USAGE);
    return 0;
  }
  const options: SeedsOptions = {
    firstSeed: wholeNumber(values.seed, 'seed', 1),
    seedCount: wholeNumber(values.seeds, 'seeds', values.seed === undefined ? 100 : 1),
    steps: wholeNumber(values.steps, 'steps', STEPS),
    isTraced: values.trace === true,
    fault: undefined,
  };
  const print = (line: string): void => console.log(line);
  if (values.faults === true) return plantAll(options, print);
  if (values.fault === undefined) return runSeeds(options, print);
  const fault = FAULTS.find(({ name }) => name === values.fault);
  if (fault === undefined) throw new Error(`no fault "${values.fault}"; there are ${FAULTS.map(({ name }) => name).join(', ')}`);
  // Only here, so that a run without faults needs no bundler.
  const { runBuild } = await import('./plant.ts');
  return runBuild(fault, options, print);
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
