/** What a browser downloads: each entry bundled from the built packages, minified by esbuild, compressed by brotli. */

import { brotliCompressSync, constants } from 'node:zlib';
import { build } from 'esbuild';
import { conclude, root } from './workspace.mjs';

/** One row per bundle; `bytesMax` after brotli at its best quality. */
const BUDGETS = [
  // What an application pays that keeps its outbox in memory, and what one pays that uses everything.
  { name: 'client', code: `export { createClient } from '@holdfast/client';`, bytesMax: 21_300 },
  { name: 'client with everything', code: `export * from '@holdfast/client';`, bytesMax: 25_200 },
  // A third of it is wire's errors, which an application with the client has already.
  { name: 'replica', code: `export { Replica, initialSnapshot } from '@holdfast/model';`, bytesMax: 3_100 },
  // For any WebSocket server.
  { name: 'connection', code: `export { createConnection } from '@holdfast/client/connection';`, bytesMax: 8_350 },
  { name: 'channel and connection', code: `export * from '@holdfast/client/connection';`, bytesMax: 10_100 },
];

const kB = (bytes) => `${(bytes / 1000).toFixed(2)} kB`;
const failures = [];
const figures = [];
for (const { name, code, bytesMax } of BUDGETS) {
  const { outputFiles } = await build({
    stdin: { contents: code, resolveDir: root, sourcefile: `${name}.js` },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    // Chooses `browser` among the conditions in the manifests, as the bundlers of applications do.
    platform: 'browser',
    target: 'es2022',
    logLevel: 'error',
  });
  const minified = outputFiles[0].contents;
  const { length } = brotliCompressSync(minified, { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } });
  figures.push(`${name} ${kB(length)} of ${kB(bytesMax)} (minified ${kB(minified.length)})`);
  if (length > bytesMax) failures.push(`${name} is ${kB(length)} after brotli, its budget ${kB(bytesMax)}`);
  if (length < 100) failures.push(`${name} is empty: nothing was bundled`);
}
conclude(failures, figures.join(', '));
