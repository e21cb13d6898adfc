/** `npm run bench -- NAME`: runs one benchmark, prints its table, and writes `bench/results/NAME.json`. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { benchAppend, type AppendRow } from './append.ts';
import { provenance } from './machine.ts';

const USAGE = `usage: npm run bench -- append [--rounds 5] [--seconds 3] [--dry]

append   durable appends per second: one fsync each, through the store, through the whole path

--dry    print the table, write no result file`;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    dry: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (values.help || positionals[0] !== 'append') {
  process.stdout.write(`${USAGE}\n`);
  process.exitCode = values.help ? 0 : 2;
} else {
  const rows = await benchAppend(Number(values.rounds), Number(values.seconds) * 1_000, (line) => process.stderr.write(`${line}\n`));
  const result = { bench: 'append', rounds: Number(values.rounds), seconds: Number(values.seconds), ...provenance(), rows };
  process.stdout.write(`${table(rows)}\n`);
  if (!values.dry) {
    const folder = fileURLToPath(new URL('../results/', import.meta.url));
    mkdirSync(folder, { recursive: true });
    writeFileSync(`${folder}append.json`, `${JSON.stringify(result, null, 2)}\n`);
  }
}

function table(rows: readonly AppendRow[]): string {
  const lines = rows.map(
    ({ name, unit, figure }) => `| ${name} | ${format(figure.median)} | ${format(figure.min)} | ${format(figure.max)} | ${unit} |`,
  );
  return ['| what | median | min | max | unit |', '|---|---:|---:|---:|---|', ...lines].join('\n');
}

function format(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(2);
}
