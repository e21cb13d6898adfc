/**
 * Checks the machine of a connection (packages/client/src/connection-machine.ts) against its model: every interleaving of events
 * to a depth, then random walks of the machine, then random walks of the real connection. `--depth N` (default 14), `--walks N`
 * (100,000), `--connections N` (2,000), `--seed N` (1); `--faults` plants each fault instead and tells what finds it. The
 * tests have a short form.
 */

import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { isMain, root } from './workspace.mjs';

const SOURCES = join(root, 'packages/client/src');

/** A test module of the client, bundled with the sources that it is about. */
export async function loadFromClient(file) {
  // Where it finds the packages that it leaves outside.
  const folder = mkdtempSync(join(root, 'node_modules', '.holdfast-model-'));
  try {
    const outfile = join(folder, 'bundle.mjs');
    await build({
      entryPoints: [join(SOURCES, file)],
      bundle: true,
      platform: 'node',
      format: 'esm',
      conditions: ['@holdfast/source'],
      external: ['esbuild'],
      // Modules that find their neighbours by their own place.
      define: { 'import.meta.url': JSON.stringify(pathToFileURL(join(SOURCES, file)).href) },
      outfile,
      logLevel: 'silent',
    });
    return await import(pathToFileURL(outfile).href);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function main() {
  const options = Object.fromEntries(['depth', 'walks', 'connections', 'seed'].map((name) => [name, { type: 'string' }]));
  const { values } = parseArgs({ options: { ...options, faults: { type: 'boolean' } } });
  const {
    depth = 14,
    walks = 100_000,
    connections = 2_000,
    seed = 1,
  } = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, Number(value)]));
  if (values.faults === true) return plantAll();
  const began = performance.now();
  const took = () => `${((performance.now() - began) / 1000).toFixed(1)} s`;
  const digest = createHash('sha256')
    .update(readFileSync(join(SOURCES, 'connection-machine.ts')))
    .digest('hex')
    .slice(0, 12);
  console.log(`connection-machine.ts ${digest}, seed ${seed}`);
  const model = await loadFromClient('connection-model.testing.ts');
  const { seededRandom } = await loadFromClient('virtual-clock.testing.ts');
  const { situations, situationCount, stepCount, edges, isComplete, depth: reached } = model.explore(depth);
  console.log(
    `every interleaving to depth ${reached}${isComplete ? ' (complete)' : ''}: ${stepCount} steps, ${situationCount} situations, ${edges.length} transitions, ${took()}`,
  );
  for (const situation of situations) model.liveness(situation);
  console.log(`a way back and an end from each of the ${situationCount} situations, ${took()}`);
  const random = model.walk(walks, 100, seededRandom(seed));
  console.log(`${walks} random walks of the machine: ${random.stepCount} steps, ${random.rows.size} rows of the table, ${took()}`);
  const { walkConnection } = await loadFromClient('connection-walk.testing.ts');
  const real = await walkConnection(connections, 100, seededRandom(seed));
  console.log(`${connections} random walks of the real connection: ${real.actionCount} actions, ${real.socketCount} sockets, ${took()}`);
  console.log('0 violations');
}

async function plantAll() {
  const { MACHINE_FAULTS, modelWith, findViolation } = await loadFromClient('connection-faults.testing.ts');
  let missed = 0;
  for (const fault of MACHINE_FAULTS) {
    const violation = findViolation(await modelWith(fault), 9);
    if (violation?.includes(fault.foundAs) !== true) missed += 1;
    console.log(`| \`${fault.name}\` | ${fault.does} | ${violation?.split('\n')[0] ?? 'NOT FOUND'} |`);
  }
  process.exitCode = missed === 0 ? 0 : 1;
}

if (isMain(import.meta)) await main();
