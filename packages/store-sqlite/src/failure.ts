/**
 * What can go wrong in the workers, in a form that crosses threads: SQLite's result codes and the system's error numbers
 * become codes of the error table. The workers throw `StoreFailure`; the main thread makes a `HoldfastError` of it
 * (`worker-client.ts`). An assertion (a batch that is not dense, a bug) stays a plain `Error` on both sides.
 */

import { writeFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';

export type FailureCode = 'STORE_READ_ONLY' | 'STORE_UNAVAILABLE' | 'STORE_CORRUPT' | 'OVERLOADED' | 'USAGE';

/** A failure as it crosses threads. No code: an assertion. */
export interface Failure {
  readonly code?: FailureCode;
  readonly message: string;
  readonly hint?: string;
}

export class StoreFailure extends Error {
  readonly code: FailureCode;
  readonly hint: string | undefined;

  constructor(code: FailureCode, message: string, options: { readonly hint?: string; readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
  }
}

/** What to tell the main thread of anything thrown while working on the file at `path`. */
export function failureOf(error: unknown, path: string): Failure {
  const failure = error instanceof StoreFailure ? error : translated(error, path);
  if (!(failure instanceof StoreFailure)) return { message: failure.message };
  return { code: failure.code, message: failure.message, ...(failure.hint === undefined ? {} : { hint: failure.hint }) };
}

/** The name of SQLite's result code, extended where the library tells; `undefined` for an error that is not SQLite's. */
export function sqliteCode(error: unknown): string | undefined {
  const { code, errcode } = error as { code?: unknown; errcode?: unknown };
  if (code === 'ERR_SQLITE_ERROR' && typeof errcode === 'number')
    return EXTENDED[errcode] ?? PRIMARY[errcode & 0xff] ?? `SQLITE_${errcode}`;
  return typeof code === 'string' && code.startsWith('SQLITE_') ? code : undefined;
}

/** sqlite.org/rescode.html: those that are told apart here. */
const PRIMARY: Readonly<Record<number, string>> = {
  5: 'SQLITE_BUSY',
  8: 'SQLITE_READONLY',
  10: 'SQLITE_IOERR',
  11: 'SQLITE_CORRUPT',
  13: 'SQLITE_FULL',
  14: 'SQLITE_CANTOPEN',
  19: 'SQLITE_CONSTRAINT',
  26: 'SQLITE_NOTADB',
};
const EXTENDED: Readonly<Record<number, string>> = { 1034: 'SQLITE_IOERR_FSYNC', 1290: 'SQLITE_IOERR_DIR_FSYNC' };

/** Whether a failed sync left it open what is on the disk: nothing may be written to that file any more. */
export function isSyncFailure(error: unknown): boolean {
  const code = sqliteCode(error);
  return code === 'SQLITE_IOERR_FSYNC' || code === 'SQLITE_IOERR_DIR_FSYNC';
}

function translated(error: unknown, path: string): Error {
  const code = sqliteCode(error);
  const cause = error instanceof Error ? error : new Error(String(error));
  if (code === undefined) {
    const { code: system, errno } = error as NodeJS.ErrnoException;
    if (system === undefined || errno === undefined) return cause;
    if (READ_ONLY_ERRNO.has(system)) return new StoreFailure('STORE_READ_ONLY', `${path} cannot be written (${system}).`, { cause });
    return new StoreFailure('STORE_UNAVAILABLE', `${path} could not be used (${cause.message}).`, { cause });
  }
  const said = `${code}: ${cause.message}`;
  if (code.startsWith('SQLITE_FULL'))
    return new StoreFailure('STORE_READ_ONLY', `There is no space left for ${path} (${said}).`, { cause });
  if (code.startsWith('SQLITE_READONLY')) return new StoreFailure('STORE_READ_ONLY', `${path} is read-only (${said}).`, { cause });
  if (code.startsWith('SQLITE_CORRUPT')) return new StoreFailure('STORE_CORRUPT', `${path} is damaged (${said}).`, { cause });
  if (code === 'SQLITE_NOTADB') return notAStore(path);
  if (code.startsWith('SQLITE_BUSY'))
    return new StoreFailure('STORE_UNAVAILABLE', `Another program is writing to ${path} (${said}).`, { cause });
  if (isSyncFailure(error)) {
    return new StoreFailure('STORE_UNAVAILABLE', `The disk did not confirm a write to ${path} (${said}); what is on it is not known.`, {
      hint: 'Check the disk, then start the server again: opening the store finds out what was stored.',
      cause,
    });
  }
  if (code.startsWith('SQLITE_IOERR') || code.startsWith('SQLITE_CANTOPEN')) {
    const why = whyReadOnly(path);
    if (why !== undefined) return new StoreFailure('STORE_READ_ONLY', `${path} cannot be written: ${why} (${said}).`, { cause });
  }
  return new StoreFailure('STORE_UNAVAILABLE', `${path} could not be used (${said}).`, { cause });
}

export function notAStore(path: string): StoreFailure {
  return new StoreFailure('STORE_CORRUPT', `${path} is not a Holdfast store, or its beginning is damaged.`, {
    hint: 'Restore a backup with "holdfast restore", move the file away, or name another directory.',
  });
}

const READ_ONLY_ERRNO: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EROFS', 'EACCES', 'EPERM']);

/** SQLite says "I/O error" for a full or read-only disk in some places; a small file put beside the store tells which it is. */
function whyReadOnly(path: string): string | undefined {
  const probe = join(dirname(path), `.holdfast-probe-${process.pid}`);
  try {
    // Two blocks: SQLite extends its shared memory by one.
    writeFileSync(probe, new Uint8Array(8192));
    return undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code !== undefined && READ_ONLY_ERRNO.has(code) ? code : undefined;
  } finally {
    try {
      rmSync(probe, { force: true });
    } catch {
      // The same trouble that was just named: there was nothing to remove.
    }
  }
}
