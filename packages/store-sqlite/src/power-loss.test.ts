import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assertNothingLost, seededRandom } from '@holdfast/server/conformance';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createSqliteStore } from './index.ts';

const workshop = mkdtempSync(join(tmpdir(), 'holdfast-power-'));
const recorder = join(workshop, 'recorder.so');
afterAll(() => rmSync(workshop, { recursive: true, force: true }));

const hasCompiler = process.platform === 'linux' && spawnSync('cc', ['--version']).status === 0;

interface Event {
  /** Written, truncated, deleted, synced; printed by the process. */
  readonly type: 'W' | 'T' | 'D' | 'S' | 'P';
  /** What is appended to the store's name, for a file of it. */
  readonly suffix: string;
  readonly offset: number;
  readonly bytes: Buffer;
}

const SUFFIXES = ['none', '', '-wal'];

function eventsIn(log: Buffer): Event[] {
  const events: Event[] = [];
  for (let at = 0; at < log.length;) {
    const length = log.readUInt32LE(at + 10);
    const bytes = log.subarray(at + 14, at + 14 + length);
    events.push({
      type: String.fromCharCode(log[at]!) as Event['type'],
      suffix: SUFFIXES[log[at + 1]!]!,
      offset: Number(log.readBigUInt64LE(at + 2)),
      bytes,
    });
    at += 14 + length;
  }
  return events;
}

interface Run {
  /** The file as it was before. */
  readonly made: Buffer;
  readonly events: readonly Event[];
}

/** Runs the writer several times on one folder, killing it each time, and returns everything that it did in order. */
async function recordedRun(synchronous: 'full' | 'normal'): Promise<Run> {
  const directory = join(workshop, synchronous);
  const store = await createSqliteStore({ directory });
  await store.close();
  const made = readFileSync(store.path);
  const log = join(workshop, `${synchronous}.log`);
  const env = { ...process.env, LD_PRELOAD: recorder, RECORD_LOG: log, RECORD_FILE: join(directory, 'holdfast.db') };
  const program = fileURLToPath(new URL('./killed-writer.mjs', import.meta.url));
  for (const round of [1, 2, 3]) {
    const child = spawn(process.execPath, [program, directory, `${round}`, synchronous], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    let lineCount = 0;
    child.stdout.on('data', (chunk: Buffer) => {
      lineCount += chunk.toString().split('\n').length - 1;
      if (lineCount >= 25 * round) child.kill('SIGKILL');
    });
    expect(await new Promise((resolve) => child.once('close', (_code, signal) => resolve(signal)))).toBe('SIGKILL');
  }
  return { made, events: eventsIn(readFileSync(log)) };
}

/** A file as the disk has it, and what it was told since its last sync. */
interface Disk {
  content: Buffer | undefined;
  unsynced: Event[];
}

/**
 * The files as a power cut after `events` may leave them: what was synced is there; of everything since, each write may be
 * there, be torn at a sector's end, or be missing, in any combination, as a disk with a cache of its own does it.
 */
function filesAfterCut({ made, events }: Run, random: () => number): Map<string, Buffer> {
  const disks = new Map<string, Disk>([
    ['', { content: Buffer.from(made), unsynced: [] }],
    ['-wal', { content: undefined, unsynced: [] }],
  ]);
  for (const event of events) {
    const disk = disks.get(event.suffix);
    if (!disk) continue;
    if (event.type === 'S') {
      for (const earlier of disk.unsynced) carryOut(disk, earlier);
      disk.unsynced = [];
    } else disk.unsynced.push(event);
  }
  const files = new Map<string, Buffer>();
  for (const [suffix, disk] of disks) {
    for (const event of disk.unsynced) {
      const fate = random();
      if (fate < 0.45) carryOut(disk, event);
      else if (fate < 0.55)
        carryOut(disk, { ...event, bytes: event.bytes.subarray(0, Math.floor((random() * event.bytes.length) / 512) * 512) });
    }
    if (disk.content) files.set(suffix, disk.content);
  }
  return files;
}

function carryOut(disk: Disk, { type, offset, bytes }: Event): void {
  if (type === 'D') disk.content = undefined;
  else {
    const before = disk.content ?? Buffer.alloc(0);
    const size = type === 'T' ? offset : Math.max(before.length, offset + bytes.length);
    const content =
      size === before.length ? before : Buffer.concat([before.subarray(0, size), Buffer.alloc(Math.max(0, size - before.length))]);
    if (type === 'W') bytes.copy(content, offset);
    disk.content = content;
  }
}

/** Puts the files into a folder of their own, opens the store and checks it; what the check says, if it fails. */
async function checkCut(run: Run, cut: number, name: string, random: () => number): Promise<unknown> {
  const events = run.events.slice(0, cut);
  const directory = join(workshop, name);
  mkdirSync(directory);
  for (const [suffix, content] of filesAfterCut({ ...run, events }, random))
    writeFileSync(join(directory, `holdfast.db${suffix}`), content);
  const acknowledged = Math.max(
    0,
    ...events.filter(({ type }) => type === 'P').flatMap(({ bytes }) => bytes.toString().trim().split('\n').map(Number)),
  );
  const store = await createSqliteStore({ directory, synchronous: 'normal' });
  try {
    // Before the first acknowledgement there need not be anything.
    if (acknowledged > 0) await assertNothingLost(store, acknowledged);
    return undefined;
  } catch (error) {
    return error;
  } finally {
    await store.close();
    rmSync(directory, { recursive: true });
  }
}

/** Moments of the run: some of each kind of event, and right behind acknowledgements, where a promise has just been made. */
function cutsOf(events: readonly Event[], count: number, random: () => number): number[] {
  const behindPrints = events.flatMap(({ type }, index) => (type === 'P' ? [index + 1] : []));
  const anywhere = Array.from({ length: count / 2 }, () => 1 + Math.floor(random() * events.length));
  const promised = Array.from({ length: count / 2 }, () => behindPrints[Math.floor(random() * behindPrints.length)]!);
  return [...anywhere, ...promised];
}

describe.skipIf(!hasCompiler)('when the power fails (needs Linux and a C compiler)', () => {
  beforeAll(() => {
    const source = fileURLToPath(new URL('./disk-recorder.c', import.meta.url));
    const { status, stderr } = spawnSync('cc', ['-shared', '-fPIC', '-O1', '-o', recorder, source, '-ldl', '-lpthread'], {
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([0, '']);
  });

  test('nothing acknowledged is lost, and batches are whole, wherever the cut falls', { timeout: 120_000 }, async () => {
    const run = await recordedRun('full');
    const { events } = run;
    expect(events.filter(({ type, suffix }) => type === 'S' && suffix === '-wal').length).toBeGreaterThan(20);
    expect(events.some(({ type, suffix }) => type === 'S' && suffix === '')).toBe(true);
    const random = seededRandom(11);
    for (const [index, cut] of cutsOf(events, 30, random).entries()) {
      expect({ cut, failure: await checkCut(run, cut, `cut-${index}`, random) }).toEqual({ cut, failure: undefined });
    }
  });

  test('and the check is able to fail: without a sync for every commit acknowledged batches are lost', { timeout: 120_000 }, async () => {
    const run = await recordedRun('normal');
    const random = seededRandom(12);
    const failures: unknown[] = [];
    for (const [index, cut] of cutsOf(run.events, 12, random).entries()) failures.push(await checkCut(run, cut, `loss-${index}`, random));
    expect(failures.filter((failure) => /was acknowledged|is there/.test(String(failure))).length).toBeGreaterThan(2);
  });

  test('a sync that fails stops all writing until the store is opened anew, and reading goes on', { timeout: 60_000 }, async () => {
    const directory = join(workshop, 'failing');
    const program = fileURLToPath(new URL('./failing-writer.mjs', import.meta.url));
    const env = { ...process.env, LD_PRELOAD: recorder, RECORD_FILE: join(directory, 'holdfast.db'), FAIL_SYNC_AFTER: '40' };
    const { stdout, stderr } = spawnSync(process.execPath, [program, directory], { env, encoding: 'utf8' });
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
  });
});
