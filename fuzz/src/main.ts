/** `npm run fuzz -- ...`: see README.md. */

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { FAULTS, type Fault } from './faults.ts';
import { inputsOf, lineOf, describeInput } from './input.ts';
import { readCorpus, targetOf, writeCorpus, writeFound } from './kept-inputs.ts';
import type { Figures } from './orders.ts';
import { TARGETS, targetNamed } from './targets.ts';
import { watch } from './watch.ts';

const INPUTS = 1_000_000;
const SHARES = TARGETS.map(({ name, share, does }) => `  ${name.padEnd(14)} ${(share * 100).toFixed(1).padStart(4)} %  ${does}`).join('\n');

const USAGE = `npm run fuzz -- [options]

  --inputs N      inputs of the whole run (default 1,000,000), divided as below; with --target all of them are its own
  --seconds N     for each target no more than so long
  --seed S        what everything is drawn from (default 1)
  --target NAME   only this one
  --unguided      neither the kept inputs nor what was reached guides what comes next
  --fresh         guided, and begins without the kept inputs
  --modules       print what of each module was reached
  --keep          keep what reached something new in fuzz/corpus
  --replay FILE   the inputs of a file once more, in one world
  --fault NAME    plant a fault, to see it found: ${FAULTS.map(({ name }) => name).join(', ')}
  --faults        plant one after the other, and print a table of what found them

Targets, and their part of the inputs:

${SHARES}

An input is what strangers send in one go: up to 32 frames, requests or tokens. Exits with 1 if anything is violated.`;

interface RunOptions {
  readonly seed: number;
  readonly durationMs: number;
  readonly isGuided: boolean;
  readonly isFresh: boolean;
  readonly isKeeping: boolean;
  readonly showsModules: boolean;
  readonly fault: Fault | undefined;
}

function wholeNumber(text: string | undefined, name: string, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text.replaceAll(/[_,]/g, ''));
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`--${name}: want a whole number, got "${text}"`);
  return value;
}

function row(name: string, { inputCount, durationMs, blocksReached, blocksTotal, kept, heapGrowthBytes }: Figures): string {
  const share = `${blocksReached} of ${blocksTotal} (${((100 * blocksReached) / Math.max(1, blocksTotal)).toFixed(1)} %)`;
  const heap = heapGrowthBytes === undefined ? 'not measured' : `${(heapGrowthBytes / 2 ** 20).toFixed(1)} MiB`;
  const perSecond = Math.round((1000 * inputCount) / Math.max(1, durationMs));
  return `| ${name} | ${inputCount.toLocaleString('en')} | ${(durationMs / 1000).toFixed(1)} s | ${perSecond.toLocaleString('en')} | ${share} | ${kept.length} | ${heap} |`;
}

/** Runs one target and says what came of it; the failure's message if there was one. */
async function runTarget(name: string, inputCount: number, options: RunOptions): Promise<string | undefined> {
  const { seed, durationMs, isGuided, isFresh, isKeeping, fault } = options;
  const lines = isGuided && !isFresh ? readCorpus(name).map(lineOf) : [];
  const { figures, failure } = await watch({ target: name, mode: 'run', seed, inputCount, durationMs, isGuided, lines, fault });
  if (figures !== undefined) console.log(row(name, figures));
  if (options.showsModules)
    for (const { name: module, reached, count } of figures?.modules ?? []) console.log(`    ${module}: ${reached} of ${count}`);
  if (isKeeping && figures !== undefined && failure === undefined) writeCorpus(name, inputsOf(figures.kept.join('\n')));
  if (failure === undefined) return undefined;
  console.log(`\nVIOLATION in ${name}, seed ${seed}: ${failure.message}`);
  if (failure.lines.length > 0 && fault === undefined) {
    const file = writeFound(name, failure.message, inputsOf(failure.lines.join('\n')));
    const small = inputsOf(failure.lines.join('\n'));
    console.log(`${small.length} inputs${failure.isShrunk ? ', as few as could be' : ', which do not fail again by themselves'}:`);
    for (const input of small.slice(0, 3)) console.log(describeInput(input));
    console.log(`base64 of each in ${file}; again with:\n  npm run fuzz -- --replay ${file}\n`);
  }
  return failure.message;
}

async function plantAll(options: RunOptions, inputCount: number): Promise<number> {
  const lines: string[] = [];
  for (const fault of FAULTS) {
    const message = await runTarget(fault.target, inputCount, { ...options, isFresh: true, fault });
    const isFound = message !== undefined && fault.foundAs.test(message);
    lines.push(`| \`${fault.name}\` | ${fault.does} | \`${fault.target}\` | ${isFound ? 'found' : '**not found**'} |`);
  }
  console.log(`\n| fault | what is done wrong | target | |\n|---|---|---|---|\n${lines.join('\n')}`);
  return lines.some((line) => line.includes('**')) ? 1 : 0;
}

async function replay(file: string, fault: Fault | undefined): Promise<number> {
  const lines = readFileSync(file, 'utf8').split('\n');
  const target = targetNamed(targetOf(file)).name;
  const { failure } = await watch({ target, mode: 'judge', seed: 1, inputCount: 0, durationMs: 0, isGuided: false, lines, fault });
  console.log(failure === undefined ? `nothing is violated by ${file}` : `VIOLATION in ${target}: ${failure.message}`);
  return failure === undefined ? 0 : 1;
}

async function main(): Promise<number> {
  const string = { type: 'string' } as const;
  const boolean = { type: 'boolean' } as const;
  const { values } = parseArgs({
    options: {
      inputs: string,
      seconds: string,
      seed: string,
      target: string,
      replay: string,
      fault: string,
      unguided: boolean,
      fresh: boolean,
      modules: boolean,
      keep: boolean,
      faults: boolean,
      help: boolean,
    },
  });
  if (values.help === true) {
    console.log(USAGE);
    return 0;
  }
  const fault = values.fault === undefined ? undefined : FAULTS.find(({ name }) => name === values.fault);
  if (values.fault !== undefined && fault === undefined) throw new Error(`no fault "${values.fault}"`);
  if (values.replay !== undefined) return replay(values.replay, fault);
  const options: RunOptions = {
    seed: wholeNumber(values.seed, 'seed', 1),
    durationMs: wholeNumber(values.seconds, 'seconds', 86_400) * 1_000,
    isGuided: values.unguided !== true,
    isFresh: values.fresh === true || fault !== undefined,
    isKeeping: values.keep === true,
    showsModules: values.modules === true,
    fault,
  };
  const inputs = wholeNumber(values.inputs, 'inputs', INPUTS);
  const targets = values.target === undefined ? TARGETS : [targetNamed(values.target)];
  console.log('| target | inputs | time | inputs/s | blocks reached | kept | heap growth |\n|---|---|---|---|---|---|---|');
  if (values.faults === true) return plantAll(options, Math.min(inputs, 100_000));
  let failureCount = 0;
  for (const { name, share } of targets) {
    const count = targets.length === 1 ? inputs : Math.round(inputs * share);
    if ((await runTarget(name, count, options)) !== undefined) failureCount += 1;
  }
  console.log(`\n${failureCount} violations, seed ${options.seed}`);
  return failureCount === 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
