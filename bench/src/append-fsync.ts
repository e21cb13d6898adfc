/** The baseline: one write and one fsync for each append, on a bare file. */

import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';

/** Appends per second of 200-byte records to a new file at `path`, for `durationMs`. */
export function measureFsync(path: string, durationMs: number): number {
  const file = openSync(path, 'w');
  const record = Buffer.alloc(200, 'x');
  const startedMs = performance.now();
  let count = 0;
  while (performance.now() - startedMs < durationMs) {
    writeSync(file, record);
    fsyncSync(file);
    count += 1;
  }
  closeSync(file);
  return count / ((performance.now() - startedMs) / 1_000);
}
