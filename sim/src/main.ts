/** `npm run sim -- ...`: see README.md. */

import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { CALAMITIES, CALAMITY_NAMES, COMMON_SETTINGS, type Setting } from './calamities.ts';
import { FAULTS } from './faults.ts';
import { createForkedRunner, createLocalRunner, type Runner } from './runner.ts';
import { runSeeds, type SeedsOptions } from './seeds.ts';
import { parseSelection, whole } from './selection.ts';

const USAGE = `npm run sim -- [options]

  --seeds N          how many runs, each from its own seed (default 100; 1 with --seed)
  --seed S           the first seed (default 1)
  --steps N          actions in one run (default 300)
  --jobs N           processes that share the seeds (default 1); each seed gives the same run, whoever runs it
  --only A,B         of the calamities below these only, in every run
  --without A,B      none of these
  --set A.x=1,B.y=2..5
                     a setting of a calamity: a number, or a range from which it is drawn
  --all              go on after a violation
  --trace            print everything that happens
  --shrink-runs N    how many smaller runs are tried when one fails (default 400; 0: none)
  --shrink-seconds N for how long (default 60)
  --faults           plant every fault into the product, one after the other; print a table of what found them
  --fault NAME       plant one

  What a smaller run is made of: --strikes 3,7 (of the calamities that the seed draws, these; "none"), --devices N,
  --topics N, --rounds N, --consumers N (at most so many).

Exits with 1 if a property is violated, and says how to see it again.`;

const STEPS = 300;
const SHRINK_RUNS = 400;
const SHRINK_SECONDS = 60;

function help(): string {
  const range = ({ unit, min, max }: Setting): string => `${min}${max === min ? '' : ` to ${max === Infinity ? 'any' : max}`} ${unit}`;
  const common = Object.entries(COMMON_SETTINGS).map(([name, setting]) => `  ${name.padEnd(9)} ${range(setting)}: ${setting.says}`);
  const kinds = CALAMITY_NAMES.flatMap((kind) => {
    const { does, settings = {}, lasts } = CALAMITIES[kind];
    const own = Object.entries(settings).map(([name, setting]) => `      ${kind}.${name}: ${range(setting)}`);
    return [`  ${kind}${lasts === true ? ' (lasts)' : ''}`, `      ${does}`, ...own];
  });
  const faults = FAULTS.map(({ name, does }) => `  ${name}\n      ${does}`);
  return [
    USAGE,
    `Settings of every calamity, "lastsMs" of those that last:\n\n${common.join('\n')}`,
    `Calamities, and the settings of their own, drawn for each strike:\n\n${kinds.join('\n')}`,
    `Faults to plant:\n\n${faults.join('\n')}`,
  ].join('\n\n');
}

/** A row for each fault, as it stands in README.md. */
async function plantAll(options: SeedsOptions, jobCount: number, print: (line: string) => void): Promise<number> {
  const { runBuild } = await import('./plant.ts');
  print('| fault | what is done wrong | breaks | found as | seeds until then |\n|---|---|---|---|---|');
  let missedCount = 0;
  for (const fault of FAULTS) {
    const lines: string[] = [];
    await runBuild(fault, { ...options, shrinkRunsMax: 0 }, (line) => lines.push(line), jobCount);
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
  const boolean = { type: 'boolean' } as const;
  const { values } = parseArgs({
    options: {
      seeds: string,
      seed: string,
      steps: string,
      jobs: string,
      only: string,
      without: string,
      set: { type: 'string', multiple: true },
      strikes: string,
      devices: string,
      topics: string,
      rounds: string,
      consumers: string,
      'shrink-runs': string,
      'shrink-seconds': string,
      fault: string,
      faults: boolean,
      all: boolean,
      trace: boolean,
      help: boolean,
      worker: boolean,
    },
  });
  const print = (line: string): void => console.log(line);
  // Not for people: another process of this program hands over the runs (`--jobs`).
  if (values.worker === true) {
    await import('./worker.ts');
    return 0;
  }
  if (values.help === true) {
    print(help());
    return 0;
  }
  const number = (name: 'seeds' | 'seed' | 'steps' | 'jobs' | 'shrink-runs' | 'shrink-seconds', least: number, otherwise: number): number =>
    values[name] === undefined ? otherwise : whole(values[name], name, least);
  const options: SeedsOptions = {
    firstSeed: number('seed', 0, 1),
    seedCount: number('seeds', 1, values.seed === undefined ? 100 : 1),
    steps: number('steps', 1, STEPS),
    selection: parseSelection(values),
    isTraced: values.trace === true,
    isExhaustive: values.all === true,
    shrinkRunsMax: number('shrink-runs', 0, SHRINK_RUNS),
    shrinkMs: number('shrink-seconds', 0, SHRINK_SECONDS) * 1_000,
    fault: undefined,
  };
  const jobCount = number('jobs', 1, 1);
  if (values.faults === true) return plantAll(options, jobCount, print);
  if (values.fault !== undefined) {
    const fault = FAULTS.find(({ name }) => name === values.fault);
    if (fault === undefined) throw new Error(`no fault "${values.fault}"; there are ${FAULTS.map(({ name }) => name).join(', ')}`);
    // Only here, so that a run without faults needs no bundler.
    const { runBuild } = await import('./plant.ts');
    return runBuild(fault, options, print, jobCount);
  }
  const program = fileURLToPath(import.meta.url);
  const runners: Runner[] = jobCount === 1 ? [createLocalRunner()] : Array.from({ length: jobCount }, () => createForkedRunner(program));
  try {
    return await runSeeds(options, runners, print);
  } finally {
    for (const runner of runners) runner.close();
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
