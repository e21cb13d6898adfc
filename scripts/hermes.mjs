/**
 * What React Native would refuse: the built client, bundled as for React Native, is compiled by Hermes's own compiler, which
 * says what of the language it lacks (async generators, flags of regular expressions); a variable that Hermes does not
 * know is a failure too, and so is a method that its older versions do not have.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { conclude, isMain, root, run } from './workspace.mjs';

/** What the compiler does not know, and React Native has; the last one only the outbox in IndexedDB uses, which is for browsers. */
const KNOWN = new Set(['Promise', 'setTimeout', 'clearTimeout', 'AbortController', 'IDBKeyRange']);

/** Methods that Hermes 0.12 lacks, as they are written. */
// oxfmt-ignore
const LACKING = [
  '.at(', '.toSorted(', '.toReversed(', '.toSpliced(', '.isWellFormed(', '.toWellFormed(', 'Promise.any(', 'Promise.allSettled(', 'Promise.withResolvers(',
  'Array.fromAsync(', 'Object.groupBy(', 'Map.groupBy(', 'new WeakRef(', 'new AggregateError(', 'new FinalizationRegistry(', 'structuredClone(',
];

const SYSTEMS = { linux: 'linux64-bin/hermesc', darwin: 'osx-bin/hermesc', win32: 'win64-bin/hermesc.exe' };

/** Everything that the client exports, in one script. */
export async function bundleForHermes() {
  const { outputFiles } = await build({
    stdin: {
      contents: `import * as holdfast from '@holdfast/client'; globalThis.holdfast = holdfast;`,
      resolveDir: root,
      sourcefile: 'app.js',
    },
    bundle: true,
    write: false,
    format: 'iife',
    // What Metro leaves for Hermes 1.0 to do.
    target: 'es2022',
    conditions: ['react-native'],
    logLevel: 'error',
  });
  return outputFiles[0].text;
}

/** What Hermes would say to a script, as a list. It knows every variable at the top of a script: only code within functions is looked at. */
export async function checkForHermes(code) {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-hermes-'));
  try {
    const file = join(folder, 'app.js');
    writeFileSync(file, code);
    const compiler = join(root, 'node_modules/hermes-compiler/hermesc', SYSTEMS[process.platform] ?? SYSTEMS.linux);
    const compiled = await run(compiler, ['-O', '-strict', '-emit-binary', '-out', join(folder, 'app.hbc'), file]);
    const errors = compiled.output.split('\n').filter((line) => line.includes(': error: '));
    const unknown = [...compiled.output.matchAll(/the variable "([^"]+)" was not declared/g)]
      .map((match) => match[1])
      .filter((name) => !KNOWN.has(name));
    return [
      ...(compiled.code !== 0 && errors.length === 0 ? [compiled.output.trim()] : errors.map((line) => line.replace(file, 'client'))),
      ...[...new Set(unknown)].map((name) => `Hermes has no variable ${name}`),
      ...LACKING.filter((text) => code.includes(text)).map((text) => `Hermes 0.12 has no ${text.replace('(', '')}`),
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (isMain(import.meta)) {
  const code = await bundleForHermes();
  conclude(await checkForHermes(code), `${Math.round(code.length / 1000)} kB of client compiled by hermesc`);
}
