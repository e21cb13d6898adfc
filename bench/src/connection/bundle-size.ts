/** What a browser downloads: the smallest program of a library, by the same bundler and compressor for all. */

import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants } from 'node:zlib';
import { build } from 'esbuild';
import type { ConnectionRow } from './row.ts';

export interface BundleSize {
  readonly minifiedBytes: number;
  readonly brotliBytes: number;
}

/** `code`, as if it stood in a file of this folder, in one minified file. */
export async function bundle(code: string, format: 'esm' | 'iife'): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: code, resolveDir: fileURLToPath(new URL('.', import.meta.url)), sourcefile: 'bundle.js' },
    bundle: true,
    minify: true,
    write: false,
    format,
    platform: 'browser',
    target: 'es2020',
    logLevel: 'error',
  });
  return outputFiles[0]!.text;
}

export async function bundleSize(code: string): Promise<BundleSize> {
  const minified = Buffer.from(await bundle(code, 'esm'));
  const { length } = brotliCompressSync(minified, { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } });
  return { minifiedBytes: minified.length, brotliBytes: length };
}

export async function measureSize(name: string, code: string): Promise<ConnectionRow> {
  const { minifiedBytes, brotliBytes } = await bundleSize(code);
  return { measure: 'size', name, figures: { 'minified, bytes': minifiedBytes, 'brotli, bytes': brotliBytes } };
}
