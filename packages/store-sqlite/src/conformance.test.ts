import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { mkdtemp, open as openFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  lackOf,
  MiniSequencer,
  storeConformance,
  type KillAbility,
  type StoreCase,
  type StoreHarness,
  type TinyDisk,
} from '@holdfast/server/conformance';
import { afterAll, describe, expect, test } from 'vitest';
import { createSqliteStore, restoreBackup, type SqliteStore } from './index.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const cleanUp of cleanups.reverse()) await cleanUp();
});

async function freshDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-store-'));
  cleanups.push(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

const killedWriter: KillAbility['killedWriter'] = () => {
  const directory = freshDirectory();
  return async (seed, lineCount) => {
    const program = fileURLToPath(new URL('./killed-writer.mjs', import.meta.url));
    const child = spawn(process.execPath, [program, await directory, `${seed}`], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (output.split('\n').length > lineCount) child.kill('SIGKILL');
    });
    const signal = await new Promise((resolve) => child.once('close', (_code, by) => resolve(by)));
    expect(signal).toBe('SIGKILL');
    return { lines: output.split('\n').slice(0, -1), store: await createSqliteStore({ directory: await directory }) };
  };
};

/** A real file system of 4 MB where the tests may mount one, else a bound on the file. */
function tinyDisk(): { description: string; open: () => Promise<TinyDisk> } {
  return canMount()
    ? { description: 'a tmpfs of 4 MB', open: openOnTmpfs }
    : { description: 'fileBytesMax, as no file system may be mounted here', open: openBounded };
}

function canMount(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-mount-'));
  const mounted = mountTmpfs(directory);
  if (mounted) spawnSync('umount', [directory]);
  rmdirSync(directory);
  return mounted;
}

function mountTmpfs(directory: string): boolean {
  return spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', directory]).status === 0;
}

async function openOnTmpfs(): Promise<TinyDisk> {
  const directory = await freshDirectory();
  if (!mountTmpfs(directory)) throw new Error('mount failed');
  cleanups.push(async () => spawnSync('umount', ['-l', directory]));
  const filler = join(directory, 'filler');
  return {
    store: await createSqliteStore({ directory: join(directory, 'data') }),
    fill: async () => {
      const file = await openFile(filler, 'w');
      try {
        for (;;) await file.write(new Uint8Array(65_536));
      } catch (error) {
        expect(error).toMatchObject({ code: 'ENOSPC' });
      } finally {
        await file.close();
      }
    },
    free: () => rm(filler),
  };
}

async function openBounded(): Promise<TinyDisk> {
  const store = await createSqliteStore({ directory: await freshDirectory(), fileBytesMax: 1_000_000 });
  const ballast = new MiniSequencer().found('ballast');
  for (let index = 0; index < 10; index += 1) ballast.publish('ballast', new Uint8Array(50_000));
  await store.apply(ballast.take());
  return { store, fill: async () => undefined, free: () => store.remove('ballast') };
}

const damages: Record<string, (path: string) => Promise<void>> = {
  'a text file': (path) => writeFile(path, 'This is not a database, and it is longer than a header of SQLite. '.repeat(20)),
  'another program’s database': async (path) => {
    await rm(path);
    expect(spawnSync('sqlite3', [path, 'CREATE TABLE notes (text); INSERT INTO notes VALUES (1);']).status).toBe(0);
  },
  'a header overwritten': async (path) => {
    const file = await openFile(path, 'r+');
    await file.write(new Uint8Array(100).fill(0x5a), 0, 100, 0);
    await file.close();
  },
  'the second half cut off': async (path) => truncate(path, 4096 * 40),
  'an odd tail cut off': async (path) => truncate(path, 4096 * 60 + 1000),
};

async function openSqlite(options: { outcomesMax?: number } = {}): Promise<SqliteStore> {
  return createSqliteStore({ directory: await freshDirectory(), ...options });
}

const harness: StoreHarness = {
  name: 'SQLite',
  open: openSqlite,
  reopen: async (store) => {
    await store.close();
    return createSqliteStore({ path: (store as SqliteStore).path, outcomesMax: store.outcomesMax });
  },
  backup: {
    freshPath: async () => join(await freshDirectory(), 'copy.db'),
    restore: async (from) => {
      const directory = await freshDirectory();
      await restoreBackup({ from, directory });
      return createSqliteStore({ directory });
    },
  },
  kill: { killedWriter },
  tinyDisk: tinyDisk(),
  damage: {
    kinds: Object.keys(damages),
    damage: async (store, kind) => {
      const { path } = store as SqliteStore;
      await store.close();
      await damages[kind]!(path);
      return () => createSqliteStore({ path });
    },
  },
};

describe('the SQLite store conforms', () => {
  const assertConforms = (storeCase: StoreCase, on: StoreHarness = harness): Promise<void> => storeCase.run(on);
  for (const storeCase of storeConformance) {
    const where = storeCase.needs === 'tinyDisk' && 'description' in harness.tinyDisk ? ` (on ${harness.tinyDisk.description})` : '';
    test(`${storeCase.name}${where}`, () => assertConforms(storeCase));
  }

  test('and no case is left out', () => {
    expect(storeConformance.filter((storeCase) => lackOf(storeCase, harness) !== undefined)).toEqual([]);
  });

  const bounded: StoreHarness = { ...harness, tinyDisk: { description: 'fileBytesMax', open: openBounded } };
  for (const storeCase of storeConformance.filter(({ needs }) => needs === 'tinyDisk')) {
    test(`${storeCase.name} (fileBytesMax)`, () => assertConforms(storeCase, bounded));
  }
});
