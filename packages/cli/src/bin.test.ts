/** The command as npm links it: on a fresh clone npm installs before anything is built, and links only what is there. */

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const { bin, version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { bin: { holdfast: string }; version: string };

test('the linked file is not a built one, and is the program', () => {
  expect(bin.holdfast).not.toContain('dist');
  expect(readFileSync(join(root, bin.holdfast), 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
  expect(execFileSync(process.execPath, [join(root, bin.holdfast), '--version'], { encoding: 'utf8' })).toContain(version);
});

test('the lock file names the same file: npm links by it', () => {
  const lock = JSON.parse(readFileSync(join(root, '../../package-lock.json'), 'utf8')) as {
    packages: Record<string, { bin?: { holdfast: string } }>;
  };
  expect(join(root, lock.packages['packages/cli']!.bin!.holdfast)).toBe(join(root, bin.holdfast));
});
