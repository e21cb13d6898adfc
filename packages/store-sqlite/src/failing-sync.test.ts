import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { createSqliteStore } from './index.ts';

const workshop = mkdtempSync(join(tmpdir(), 'holdfast-sync-'));
afterAll(() => rmSync(workshop, { recursive: true, force: true }));

const hasCompiler = process.platform === 'linux' && spawnSync('cc', ['--version']).status === 0;
const sourceOf = (name: string): string => fileURLToPath(new URL(`./${name}`, import.meta.url));

test.skipIf(!hasCompiler)(
  'a sync that fails stops all writing until the store is opened anew, and reading goes on (needs Linux and a C compiler)',
  { timeout: 60_000 },
  async () => {
    const disk = join(workshop, 'failing-disk.so');
    const compiled = spawnSync('cc', ['-Wall', '-shared', '-fPIC', '-O1', '-o', disk, sourceOf('failing-disk.c'), '-ldl'], {
      encoding: 'utf8',
    });
    expect([compiled.status, compiled.stderr]).toEqual([0, '']);
    const directory = join(workshop, 'failing');
    const env = { ...process.env, LD_PRELOAD: disk, FAIL_FILE: join(directory, 'holdfast.db'), FAIL_SYNC_AFTER: '40' };
    const { stdout, stderr } = spawnSync(process.execPath, [sourceOf('failing-writer.mjs'), directory], { env, encoding: 'utf8' });
    expect(stderr).toBe('');
    const { acknowledgedCount, said, readable } = JSON.parse(stdout) as { acknowledgedCount: number; said: string[]; readable: number };
    expect(acknowledgedCount).toBeGreaterThan(5);
    expect(said[0]).toMatch(/^STORE_UNAVAILABLE: The disk did not confirm a write/);
    expect(said[1]).toBe(said[0]);
    expect(readable).toBeGreaterThanOrEqual(acknowledgedCount);
    const store = await createSqliteStore({ directory });
    expect((await store.head('a'))?.last).toBeGreaterThanOrEqual(acknowledgedCount);
    await store.close();
    expect(existsSync(join(directory, 'holdfast.db-wal'))).toBe(false);
  },
);
