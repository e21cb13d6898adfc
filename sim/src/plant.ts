/**
 * Plants a fault: bundles the simulator with one source file of a package changed, and runs that build in a process of
 * its own. The product has no switch for it; the change is made on its text while it is being bundled.
 */

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';
import type { Fault } from './faults.ts';
import { createForkedRunner, type Runner } from './runner.ts';
import { runSeeds, type SeedsOptions } from './seeds.ts';

const sources: string = fileURLToPath(new URL('../src/', import.meta.url));
const root: string = resolve(sources, '../..');

/** The source with the fault in it. Throws if the text to be changed is not there exactly once: then the list has rotted. */
export function mutate(source: string, { name, file, find, replace }: Fault): string {
  const count = source.split(find).length - 1;
  if (count !== 1) throw new Error(`the fault "${name}" wants its text exactly once in ${file}, and finds it ${count} times`);
  return source.replace(find, () => replace);
}

/**
 * Runs seeds on a build of its own, with the fault if one is given, in as many processes as `jobCount`. Resolves with the
 * exit code: 1 if a property was violated. `print` gets each line.
 */
export async function runBuild(
  fault: Fault | undefined,
  options: SeedsOptions,
  print: (line: string) => void,
  jobCount: number = 1,
): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-sim-'));
  const program = join(folder, 'worker.mjs');
  let runners: Runner[] = [];
  try {
    await bundle(fault, program);
    runners = Array.from({ length: jobCount }, () => createForkedRunner(program));
    const selection = { ...fault?.selection, ...options.selection };
    return await runSeeds({ ...options, selection, fault: fault?.name }, runners, print);
  } finally {
    for (const runner of runners) runner.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function bundle(fault: Fault | undefined, outfile: string): Promise<void> {
  let isPlanted = fault === undefined;
  const plugin: Plugin = {
    name: 'plant',
    setup: (bundler) => {
      bundler.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        if (fault === undefined || path !== join(root, fault.file)) return undefined;
        isPlanted = true;
        return { contents: mutate(await readFile(path, 'utf8'), fault), loader: 'ts' };
      });
    },
  };
  await build({
    entryPoints: [join(sources, 'worker.ts')],
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    conditions: ['@holdfast/source'],
    // The server's socket adapter is bundled and never used; `ws` in it asks for Node's modules by `require`.
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    outfile,
    plugins: [plugin],
    logLevel: 'silent',
  });
  if (!isPlanted) throw new Error(`the simulator does not use ${fault?.file}, so "${fault?.name}" cannot be planted`);
}
