/**
 * Plants a fault: bundles the simulator with one source file of a package changed, and runs that build in a process of
 * its own. The product has no switch for it; the change is made on its text while it is being bundled.
 */

import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';
import type { Fault } from './faults.ts';
import type { SeedsOptions } from './seeds.ts';

const sources: string = fileURLToPath(new URL('../src/', import.meta.url));
const root: string = resolve(sources, '../..');

/** The source with the fault in it. Throws if the text to be changed is not there exactly once: then the list has rotted. */
export function mutate(source: string, { name, file, find, replace }: Fault): string {
  const count = source.split(find).length - 1;
  if (count !== 1) throw new Error(`the fault "${name}" wants its text exactly once in ${file}, and finds it ${count} times`);
  return source.replace(find, () => replace);
}

/**
 * Runs seeds on a build of its own, with the fault if one is given. Resolves with the exit code: 1 if a property was
 * violated. `print` gets each line.
 */
export async function runBuild(fault: Fault | undefined, options: SeedsOptions, print: (line: string) => void): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-sim-'));
  try {
    const outfile = join(folder, 'sim.mjs');
    await bundle(fault, { ...options, fault: fault?.name }, outfile);
    return await run(outfile, print);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function bundle(fault: Fault | undefined, options: SeedsOptions, outfile: string): Promise<void> {
  const contents = `import { runSeeds } from './seeds.ts';\nprocess.exitCode = await runSeeds(${JSON.stringify(options)}, (line) => console.log(line));\n`;
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
    stdin: { contents, resolveDir: sources, loader: 'ts', sourcefile: 'planted.ts' },
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

function run(program: string, print: (line: string) => void): Promise<number> {
  return new Promise((resolvePromise, reject) => {
    const child = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'], cwd: root });
    let rest = '';
    child.stdout.setEncoding('utf8');
    child.stdout.on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop()!;
      for (const line of lines) print(line);
    });
    child.on('error', reject);
    child.on('close', (code) => {
      if (rest !== '') print(rest);
      resolvePromise(code ?? 1);
    });
  });
}
