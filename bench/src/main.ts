/** `npm run bench -- NAME`: runs one benchmark, prints its table, and writes `bench/results/NAME.json`. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { benchAppend, type AppendRow } from './append.ts';
import { cycleChannels, cycleTable, leaksOf } from './channel-cycles.ts';
import { benchConnection, FULL_PLAN, otherVersions } from './connection/connection.ts';
import { CONTENDERS } from './connection/contenders.ts';
import { connectionTable } from './connection/row.ts';
import { formatFigure } from './figure-text.ts';
import { provenance } from './machine.ts';
import { failuresOf, LONG_ROUNDS, testPowerLoss, type PowerLossRow } from './power-loss/power-loss.ts';
import { canRecord } from './power-loss/recording.ts';
import { benchProfile, benchSpeed, SPEED_USAGE } from './speed/command.ts';
import { PARTS, profileTable } from './speed/profile.ts';
import { benchStorm, STORM_USAGE } from './storm/command.ts';

const USAGE = `usage: npm run bench -- append [--rounds 5] [--seconds 3] [--dry]
       npm run bench -- channel-cycles [--cycles 100000] [--dry]
       npm run bench -- connection [--dry]
       npm run bench -- power-loss [--cuts 400] [--seed 1] [--dry]
${STORM_USAGE}
${SPEED_USAGE}

append       durable appends per second: one fsync each, through the store, through the whole path
channel-cycles
             what is left of so many channels that are over: heap, handles, connections; exit code 1 if anything is
connection   half-open, slow, frozen and dropped links: this client and others, side by side (takes some minutes)
power-loss   what a power cut costs: the store's files rebuilt as a cut at many moments may leave them, synced in three ways;
             exit code 1 if the one that promises everything loses anything (needs Linux and a C compiler, takes some minutes)
profile      where the server's processor time goes in some of the scenarios, by part
storm        all connections are reset at once and come back for what they missed, again and again; exit code 1 if one of
             ours is not back with all of it, once and in order, or memory grows (takes about a quarter of an hour)
SCENARIO     speed and memory of this server and others, side by side (needs Linux and a C compiler); "speed" is all of them.
             --quick is over at once and measures nothing

--dry    print the table, write no result file`;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    against: { type: 'string' },
    runs: { type: 'string', default: '5' },
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    connections: { type: 'string', default: '5000,10000' },
    seconds: { type: 'string', default: '3' },
    cuts: { type: 'string', default: '400' },
    cycles: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    dry: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const report = (line: string): void => void process.stderr.write(`${line}\n`);

const benches: Readonly<Record<string, () => Promise<void>>> = {
  append: async () => {
    const [rounds, seconds] = [Number(values.rounds ?? 5), Number(values.seconds)];
    const rows = await benchAppend(rounds, seconds * 1_000, report);
    conclude('append', appendTable(rows), { rounds, seconds }, rows);
  },
  'channel-cycles': async () => {
    const row = await cycleChannels(Number(values.cycles));
    conclude('channel-cycles', cycleTable(row), {}, [row]);
    for (const leak of leaksOf(row)) {
      report(leak);
      process.exitCode = 1;
    }
  },
  connection: async () => {
    const rows = await benchConnection(CONTENDERS, FULL_PLAN, report);
    conclude('connection', connectionTable(rows), { versions: otherVersions(CONTENDERS) }, rows);
  },
  'power-loss': async () => {
    if (!canRecord()) throw new Error('power-loss needs Linux and a C compiler (cc).');
    const plan = { cuts: Number(values.cuts), seed: Number(values.seed) };
    const rows = await testPowerLoss({ ...plan, modes: ['full', 'normal', 'off'], rounds: LONG_ROUNDS, report });
    conclude('power-loss', powerLossTable(rows), plan, rows);
    const failures = failuresOf(rows);
    for (const failure of failures) report(failure);
    if (failures.length > 0) process.exitCode = 1;
  },
  profile: async () => {
    const rows = await benchProfile({ quick: values.quick, seconds: Number(values.seconds) }, report);
    const table = profileTable(rows);
    if (values.quick) process.stdout.write(`${table}\n`);
    else conclude('profile', table, { seconds: Number(values.seconds), parts: PARTS }, rows);
  },
  storm: async () => {
    const rounds = Number(values.rounds ?? 10);
    const { rows, table, failures } = await benchStorm({ ...values, rounds }, report);
    if (values.quick) process.stdout.write(`${table}\n`);
    else conclude('storm', table, { rounds }, rows);
    for (const failure of failures) report(failure);
    if (failures.length > 0) process.exitCode = 1;
  },
};

const [name = ''] = positionals;
const bench =
  benches[name] ?? benchSpeed(name, { ...values, runs: Number(values.runs), seconds: Number(values.seconds) }, report, conclude);
if (values.help || bench === undefined) {
  process.stdout.write(`${USAGE}\n`);
  process.exitCode = values.help ? 0 : 2;
} else await bench();

function conclude(name: string, table: string, settings: Readonly<Record<string, unknown>>, rows: readonly unknown[]): void {
  process.stdout.write(`${table}\n`);
  if (values.dry) return;
  const folder = fileURLToPath(new URL('../results/', import.meta.url));
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}${name}.json`, `${JSON.stringify({ bench: name, ...settings, ...provenance(), rows }, null, 2)}\n`);
}

function appendTable(rows: readonly AppendRow[]): string {
  const lines = rows.map(
    ({ name, unit, figure }) =>
      `| ${name} | ${formatFigure(figure.median)} | ${formatFigure(figure.min)} | ${formatFigure(figure.max)} | ${unit} |`,
  );
  return ['| what | median | min | max | unit |', '|---|---:|---:|---:|---|', ...lines].join('\n');
}

function powerLossTable(rows: readonly PowerLossRow[]): string {
  const lines = rows.map((row) => {
    const cells = [row.mode, row.cuts, row.cutsLost, row.cutsDamaged, row.cutsTorn, row.cutsHoled, row.cutsOther, row.lostMax];
    return `| ${cells.join(' | ')} |`;
  });
  const head =
    '| synchronous | cuts | acknowledged lost | file damaged | batch torn | offsets with a hole | otherwise wrong | most batches lost |';
  return [head, '|---|---:|---:|---:|---:|---:|---:|---:|', ...lines].join('\n');
}
