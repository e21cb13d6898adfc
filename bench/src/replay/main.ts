/** `npm run replay -- FOLDER`: replays IRC logs through a server under bad weather; exits with 1 if anything was lost, doubled or out of order. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { provenance } from '../machine.ts';
import { OBSERVERS } from './audience.ts';
import { LINE_KINDS } from './irc-log.ts';
import { replay, type ReplayResult } from './replay.ts';

const USAGE = `usage: npm run replay -- FOLDER [--in-flight 64] [--cuts 300] [--kills 3] [--seed 1] [--files N] [--memory] [--save]

Replays every *.txt in FOLDER, an IRC log each, through "holdfast serve" in a process of its own, with a client per nick,
links that are cut and a server that is killed with -9; then holds the server's log, the store's file and what five
observers saw against the lines of the files. Exits with 0 if all of it is the same, 1 if not, 2 for a wrong command line.

Logs in the right format: https://github.com/jkkummerfeld/irc-disentanglement (CC-BY-4.0; Kummerfeld et al., ACL 2019).

--in-flight N  unanswered publishes over all
--cuts N       links of nicks that are cut, between frames or within one
--kills N      deaths of the server
--seed N       chooses what goes wrong when; a run prints its own
--files N      only the first N files
--memory       a server without a disk; goes with --kills 0 only
--save         write the result to bench/results/replay.json
`;

const NUMBERS = { 'in-flight': [64, 1], cuts: [300, 0], kills: [3, 0], seed: [undefined, 0], files: [Number.MAX_SAFE_INTEGER, 1] } as const;

class UsageError extends Error {}

process.exitCode = await main();

async function main(): Promise<number> {
  try {
    const { folder, numbers, isMemory, isSaved } = readCommandLine();
    if (folder === undefined) {
      process.stdout.write(USAGE);
      return 0;
    }
    const seed = numbers.seed ?? Math.floor(Math.random() * 1_000_000);
    console.log(`seed ${seed}`);
    const ending = new AbortController();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ending.abort(new Error(`ended by ${signal}`)));
    const result = await replay({
      folder,
      filesMax: numbers.files!,
      inFlight: numbers['in-flight']!,
      cutCount: numbers.cuts!,
      killCount: isMemory ? 0 : numbers.kills!,
      seed,
      isMemory,
      progress: (line) => console.log(line),
      signal: ending.signal,
    });
    console.log(reportOf(result));
    if (isSaved) save(result, { seed, inFlight: numbers['in-flight']!, isMemory });
    return result.ledger.total === 0 ? 0 : 1;
  } catch (error) {
    if (!(error instanceof UsageError)) console.error(`replay: ${error instanceof Error ? error.message : String(error)}`);
    else console.error(`replay: ${error.message}\n${USAGE.split('\n', 1)[0]}`);
    return error instanceof UsageError ? 2 : 1;
  }
}

interface CommandLine {
  /** `undefined`: help is wanted. */
  readonly folder: string | undefined;
  readonly numbers: Readonly<Record<keyof typeof NUMBERS, number | undefined>>;
  readonly isMemory: boolean;
  readonly isSaved: boolean;
}

function readCommandLine(): CommandLine {
  const { positionals, values } = parsed();
  const numbers = {} as Record<keyof typeof NUMBERS, number | undefined>;
  for (const [name, [standard, min]] of Object.entries(NUMBERS) as [keyof typeof NUMBERS, (typeof NUMBERS)[keyof typeof NUMBERS]][]) {
    const text = values[name];
    if (text !== undefined && (!/^\d+$/.test(text) || Number(text) < min))
      throw new UsageError(`--${name} wants a whole number from ${min}, not "${text}"`);
    numbers[name] = text === undefined ? standard : Number(text);
  }
  const isMemory = values.memory === true;
  const isSaved = values.save === true;
  if (isMemory && values.kills !== undefined && numbers.kills !== 0)
    throw new UsageError('--memory goes with --kills 0 only: what is in memory dies with the server');
  if (values.help === true) return { folder: undefined, numbers, isMemory, isSaved };
  if (positionals.length !== 1) throw new UsageError('want one FOLDER');
  return { folder: positionals[0], numbers, isMemory, isSaved };
}

function parsed() {
  const text = { type: 'string' } as const;
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        'in-flight': text,
        cuts: text,
        kills: text,
        seed: text,
        files: text,
        memory: { type: 'boolean' },
        save: { type: 'boolean' },
        help: { type: 'boolean' },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message.split('. ', 1)[0], { cause: error });
  }
}

function save(result: ReplayResult, options: object): void {
  const { ledger, kept: _kept, tally, ...figures } = result;
  const { enterRefusals, ...counts } = tally;
  const json = {
    bench: 'replay',
    command: `npm run replay -- ${['FOLDER', ...process.argv.slice(2).filter((word) => word.startsWith('-') || /^\d+$/.test(word))].join(' ')}`,
    output: reportOf(result).trim().split('\n'),
    ...options,
    ...provenance(),
    ...figures,
    tally: { ...counts, enterRefusals: Object.fromEntries(enterRefusals) },
    faults: ledger.lines(),
  };
  const folder = fileURLToPath(new URL('../../results/', import.meta.url));
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}replay.json`, `${JSON.stringify(json, null, 2)}\n`);
}

function reportOf(result: ReplayResult): string {
  const { lineCounts, tally, cuts, ledger, observed } = result;
  const sum = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((a, b) => a + b, 0);
  const seconds = result.playMs / 1_000;
  const refusals = [...tally.enterRefusals].map(([code, count]) => `, ${count} refused with ${code}`).join('');
  const counted = LINE_KINDS.map((kind) => `${lineCounts[kind].toLocaleString('en-US')} ${kind}`).join(', ');
  return [
    '',
    `files       ${result.fileCount}, ${sum(lineCounts).toLocaleString('en-US')} lines: ${counted}`,
    `published   ${result.publishedCount.toLocaleString('en-US')} in ${seconds.toFixed(1)} s, ${Math.round(result.publishedCount / seconds).toLocaleString('en-US')}/s; ${tally.duplicates} answered as duplicates`,
    `nicks       ${result.nickCount.toLocaleString('en-US')} clients, ${result.nickCountMax.toLocaleString('en-US')} at a time; members read ${tally.read.toLocaleString('en-US')} entries, ${tally.entered.toLocaleString('en-US')} entered, ${tally.left.toLocaleString('en-US')} left${refusals}`,
    `weather     ${sum(cuts)} cuts (${cuts.between} between frames, ${cuts.sending} within one sent, ${cuts.receiving} within one received), ${result.killCount} kills of the server`,
    `observers   ${OBSERVERS.map((name) => `${name} ${observed[name].toLocaleString('en-US')}`).join(', ')}; one cut ${result.observerCuts} times, one killed ${result.observerKills} times`,
    `took        ${(result.totalMs / 1_000).toFixed(1)} s, ${Math.round(result.rssBytesMax / 2 ** 20)} MiB in the clients' process`,
    ledger.total === 0
      ? 'verdict     nothing lost, nothing twice, nothing out of order, no gap: files, log, store and observers agree'
      : `verdict     ${ledger.total} faults; everything is kept in ${result.kept}`,
    ...ledger.lines().map((line) => `            ${line}`),
  ].join('\n');
}
