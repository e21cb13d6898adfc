/** `npm run audit`: the same faults for Holdfast and for others; exits with 1 if Holdfast on disk lost, doubled or reordered anything. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { provenance } from '../machine.ts';
import { versionsOf } from '../package-version.ts';
import { auditContender } from './audit.ts';
import { CONTENDER_NAMES } from './contender.ts';
import { CONTENDERS, PROMISED } from './contenders.ts';
import type { AuditPlan } from './script.ts';
import { isFlawless, reportOf, type AuditRow } from './verdict.ts';

const USAGE = `usage: npm run audit -- [--clients 1000] [--minutes 2] [--seed 1] [--only NAME[,NAME]] [--save]

So many clients follow a server, each over a TCP connection of its own, and get two broadcasts a second for so many minutes.
Each client's connection is reset about every 15 s, and it is offline for 2 s then. In the middle the server is killed with
-9 and started again a second later; at three quarters of the time it is told to end (SIGTERM) and started again. In the
end every client's numbers are compared with those that were sent. Every contender gets the same, one after the other,
which takes up to a minute more for each.

Contenders: ${CONTENDER_NAMES.join(', ')}.

Exits with 0 if Holdfast on disk lost, doubled and reordered nothing, 1 if it did, 2 for a wrong command line. Everything is
on 127.0.0.1; what it starts it ends, also after Ctrl-C.

--clients N    1 to 4,000; each takes three open files of this process and one of the server's
--minutes N    0.2 to 60, also with a fraction
--seed N       chooses when which connection is cut
--only NAMES   these contenders alone
--save         write the result to bench/results/audit.json
`;

/** What is the same for everybody, and for every length. */
const STEADY = { broadcastsPerSecond: 2, cutEveryMs: 15_000, offlineMs: 2_000, killedMs: 1_000, settleMs: 30_000 } as const;

class UsageError extends Error {}

interface CommandLine {
  readonly plan: AuditPlan;
  readonly names: readonly string[];
  readonly isSaved: boolean;
}

process.exitCode = await main();

async function main(): Promise<number> {
  try {
    const line = readCommandLine();
    if (line === undefined) {
      process.stdout.write(USAGE);
      return 0;
    }
    const { plan, names, isSaved } = line;
    const ending = new AbortController();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ending.abort(new Error(`ended by ${signal}`)));
    const rows: AuditRow[] = [];
    const output: string[] = [];
    for (const contender of CONTENDERS.filter(({ name }) => names.includes(name))) {
      console.log(`${contender.title}: ${plan.clients} clients, ${plan.durationMs / 60_000} minutes, seed ${plan.seed}`);
      const row = await auditContender(contender, { plan, report: (text) => console.log(text), signal: ending.signal });
      rows.push(row);
      output.push(...reportOf(row));
      console.log(`\n${reportOf(row).join('\n')}\n`);
    }
    const promised = rows.find(({ name }) => name === PROMISED);
    const verdict = promised === undefined ? 'Holdfast was not audited' : isFlawless(promised) ? 'nothing to find fault with' : 'FAULTS';
    console.log(`verdict for Holdfast, on disk: ${verdict}`);
    if (isSaved) save(plan, rows, output);
    return promised === undefined || isFlawless(promised) ? 0 : 1;
  } catch (error) {
    if (!(error instanceof UsageError)) console.error(`audit: ${error instanceof Error ? error.message : String(error)}`);
    else console.error(`audit: ${error.message}\n${USAGE.split('\n', 1)[0]}`);
    return error instanceof UsageError ? 2 : 1;
  }
}

/** `undefined`: help is wanted. */
function readCommandLine(): CommandLine | undefined {
  const values = parsed();
  if (values.help === true) return undefined;
  const clients = numberOf('clients', values.clients, { standard: 1_000, min: 1, max: 4_000, isWhole: true });
  const minutes = numberOf('minutes', values.minutes, { standard: 2, min: 0.2, max: 60, isWhole: false });
  const seed = numberOf('seed', values.seed, { standard: 1, min: 0, max: 2 ** 31, isWhole: true });
  const names = values.only?.split(',') ?? CONTENDER_NAMES;
  const unknown = names.find((name) => !CONTENDERS.some((contender) => contender.name === name));
  if (unknown !== undefined) throw new UsageError(`there is no contender "${unknown}"; there are ${CONTENDER_NAMES.join(', ')}`);
  return { plan: { ...STEADY, clients, durationMs: minutes * 60_000, seed }, names, isSaved: values.save === true };
}

interface Bounds {
  readonly standard: number;
  readonly min: number;
  readonly max: number;
  readonly isWhole: boolean;
}

function numberOf(option: string, text: string | undefined, { standard, min, max, isWhole }: Bounds): number {
  const value = text === undefined ? standard : Number(text);
  if (text === '' || !(value >= min && value <= max) || (isWhole && !Number.isInteger(value)))
    throw new UsageError(`--${option} wants a ${isWhole ? 'whole ' : ''}number from ${min} to ${max}, not "${text}"`);
  return value;
}

function parsed() {
  const text = { type: 'string' } as const;
  try {
    const options = { clients: text, minutes: text, seed: text, only: text, save: { type: 'boolean' }, help: { type: 'boolean' } } as const;
    return parseArgs({ options }).values;
  } catch (error) {
    throw new UsageError((error as Error).message.split('. ', 1)[0], { cause: error });
  }
}

function save(plan: AuditPlan, rows: readonly AuditRow[], output: readonly string[]): void {
  const json = {
    bench: 'audit',
    command: `npm run audit -- ${process.argv.slice(2).join(' ')}`,
    output,
    plan,
    versions: versionsOf(CONTENDERS.flatMap((contender) => contender.packages)),
    ...provenance(),
    rows,
  };
  const folder = fileURLToPath(new URL('../../results/', import.meta.url));
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}audit.json`, `${JSON.stringify(json, null, 2)}\n`);
}
