/**
 * Runs a writing store under `disk-recorder.c` and reads back what it did to its folder. The writer is killed and begun
 * anew several times, so that the record holds the making of a store, its reopening after a death, and checkpoints.
 */

import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * `full` and `normal` are the store's own. `off` is nothing that a store offers: it is `normal` without any sync, which is
 * what SQLite's `synchronous=OFF` does, and what a disk does that confirms a flush and carries out none.
 */
export type SyncMode = 'full' | 'normal' | 'off';

export interface DiskEvent {
  /** Created, written, truncated, deleted, renamed; synced (the folder's name is `.`); printed by the process. */
  readonly type: 'C' | 'W' | 'T' | 'D' | 'R' | 'S' | 'P';
  /** The file's name in the folder; empty for what was printed. */
  readonly name: string;
  /** Of a write; of a truncation the new length. */
  readonly offset: number;
  /** Of a rename the new name. */
  readonly bytes: Buffer;
}

/** Whether there is what a recording needs: Linux and a C compiler. */
export function canRecord(): boolean {
  return process.platform === 'linux' && spawnSync('cc', ['--version']).status === 0;
}

/** Compiles the recorder into `folder`; returns its path. Throws what the compiler says. */
export function buildRecorder(folder: string): string {
  const path = join(folder, 'recorder.so');
  const compiler = ['-Wall', '-shared', '-fPIC', '-O1', '-o', path, sourceOf('disk-recorder.c'), '-ldl', '-lpthread'];
  const { status, stderr } = spawnSync('cc', compiler, { encoding: 'utf8' });
  if (status !== 0 || stderr !== '') throw new Error(`The recorder does not compile: ${stderr}`);
  return path;
}

export interface RecordingPlan {
  readonly mode: SyncMode;
  /** Batches acknowledged before each death. */
  readonly rounds: readonly number[];
  readonly random: () => number;
}

/** Everything that the writer did in a new folder under `workshop`, in order. */
export async function record(recorder: string, workshop: string, { mode, rounds, random }: RecordingPlan): Promise<DiskEvent[]> {
  const folder = join(realpathSync(workshop), `recorded-${mode}`);
  const log = join(workshop, `${mode}.log`);
  mkdirSync(folder);
  for (const [index, batchCount] of rounds.entries()) {
    const env = {
      ...process.env,
      LD_PRELOAD: recorder,
      RECORD_FOLDER: folder,
      RECORD_LOG: log,
      RECORD_SYNCS: mode === 'off' ? 'none' : 'all',
      RECORD_PRINTS: `${batchCount}`,
      RECORD_MORE: `${Math.floor(random() * 40)}`,
    };
    const program = [sourceOf('recorded-writer.mjs'), folder, `${index + 1}`, mode === 'full' ? 'full' : 'normal'];
    const child = spawn(process.execPath, program, { env, stdio: ['ignore', 'ignore', 'inherit'] });
    const signal = await new Promise((resolve) => child.once('close', (_code, by) => resolve(by)));
    if (signal !== 'SIGKILL') throw new Error('The recorded writer ended by itself.');
  }
  return eventsIn(readFileSync(log));
}

function eventsIn(log: Buffer): DiskEvent[] {
  const events: DiskEvent[] = [];
  for (let at = 0; at < log.length;) {
    const nameAt = at + 14;
    const bytesAt = nameAt + log[at + 1]!;
    const end = bytesAt + log.readUInt32LE(at + 10);
    events.push({
      type: String.fromCharCode(log[at]!) as DiskEvent['type'],
      name: log.toString('latin1', nameAt, bytesAt),
      offset: Number(log.readBigUInt64LE(at + 2)),
      bytes: log.subarray(bytesAt, end),
    });
    at = end;
  }
  return events;
}

/** What is not compiled stays in `src`, wherever this file runs from. */
function sourceOf(name: string): string {
  return fileURLToPath(new URL(`../../src/power-loss/${name}`, import.meta.url));
}
