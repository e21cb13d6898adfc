/**
 * The outbox in a file, for Node: a journal with one line per change, each with its checksum, appended and synced before
 * `apply` resolves; rewritten when it has grown. A last line that was torn by a crash is dropped: nobody was told of it.
 * A lock file beside it names the process that owns it.
 */

import { open, readFile, rename, type FileHandle } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { crc32 } from 'node:zlib';
import { decodeBase64, encodeBase64, HoldfastError, type Data, type Json } from '@holdfast/wire';
import { FileLock } from './file-lock.ts';
import { OutboxTables } from './outbox-memory.ts';
import type { OutboxChanges, OutboxRecord, OutboxStore, RowRecord } from './outbox.ts';

export interface FileOutboxOptions {
  /** The journal's path; its folder must exist. `PATH.lock` and, for moments, `PATH.new` lie beside it. */
  readonly path: string;
  /** The journal is rewritten when it is larger than this and than four times what it holds, bytes. Default 1 MiB. */
  readonly compactBytes?: number;
}

const COMPACT_BYTES = 1_048_576;
const HEADER = '{"holdfastOutbox":1}\n';

/** An outbox that survives the process. Owned by one process at a time: `load` rejects while another is alive. */
export function createFileOutbox({ path, compactBytes = COMPACT_BYTES }: FileOutboxOptions): OutboxStore {
  return new FileOutbox(resolve(path), compactBytes);
}

class FileOutbox implements OutboxStore {
  readonly isPersistent = true;
  readonly #path: string;
  readonly #lock: FileLock;
  readonly #compactBytes: number;
  #tables = new OutboxTables();
  #file: FileHandle | undefined;
  /** What of the file is whole and synced, bytes. The next line is written there, over whatever a torn or failed write left. */
  #length = 0;
  #compactAtBytes = 0;
  /** The calls in their order: each begins when the one before has ended. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(path: string, compactBytes: number) {
    this.#path = path;
    this.#lock = new FileLock(`${path}.lock`);
    this.#compactBytes = compactBytes;
  }

  load(): Promise<OutboxRecord> {
    return this.#next(async () => {
      await this.#lock.acquire();
      try {
        this.#tables = new OutboxTables();
        await this.#recover();
        return this.#tables.record();
      } catch (error) {
        await this.#release();
        throw this.#failure(error);
      }
    });
  }

  apply(changes: OutboxChanges): Promise<void> {
    return this.#next(async () => {
      if (this.#file === undefined) throw new HoldfastError('STORE_UNAVAILABLE', 'the outbox is closed');
      await this.#append(encodeLine(changes));
      this.#tables.apply(changes);
      if (this.#length <= this.#compactAtBytes) return;
      // The change is durable; where there is no room for a second file, the journal grows on.
      await this.#compact().catch(() => (this.#compactAtBytes = 2 * this.#length));
    });
  }

  close(): Promise<void> {
    return this.#next(() => this.#release());
  }

  #next<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#last.then(task);
    this.#last = result.catch(() => {});
    return result;
  }

  async #release(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
    await this.#lock.release();
  }

  async #recover(): Promise<void> {
    const bytes = await readFile(this.#path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (bytes === undefined || bytes.length === 0) return this.#compact();
    this.#length = this.#replay(bytes);
    this.#file = await open(this.#path, 'r+');
    this.#compactAtBytes = Math.max(this.#compactBytes, this.#length);
  }

  /** Applies the lines; returns how many bytes are whole. */
  #replay(bytes: Buffer): number {
    const damaged = (at: number): HoldfastError =>
      new HoldfastError('STORE_CORRUPT', `${this.#path} is damaged, or no outbox, at byte ${at}`, {
        hint: 'Move the file away; what it held is lost to this client.',
      });
    if (bytes.toString('utf8', 0, HEADER.length) !== HEADER) throw damaged(0);
    let at = HEADER.length;
    while (at < bytes.length) {
      const end = bytes.indexOf(0x0a, at);
      const changes = end < 0 ? undefined : decodeLine(bytes.toString('utf8', at, end));
      // Only the last line can have been torn: every other was synced before the next was begun.
      const isLast = end < 0 || end === bytes.length - 1;
      if (changes === undefined && !isLast) throw damaged(at);
      if (changes === undefined) break;
      this.#tables.apply(changes);
      at = end + 1;
    }
    return at;
  }

  async #append(line: Buffer): Promise<void> {
    const file = this.#file!;
    try {
      await file.write(line, 0, line.length, this.#length);
      await file.datasync();
    } catch (error) {
      throw this.#failure(error);
    }
    this.#length += line.length;
  }

  #failure(cause: unknown): HoldfastError {
    if (cause instanceof HoldfastError) return cause;
    const { code = '', message } = cause as NodeJS.ErrnoException;
    const isReadOnly = ['ENOSPC', 'EDQUOT', 'EROFS', 'EACCES', 'EPERM'].includes(code);
    return new HoldfastError(isReadOnly ? 'STORE_READ_ONLY' : 'STORE_UNAVAILABLE', `${this.#path}: ${message}`, { cause });
  }

  /** Writes the record as one line into a new file, and puts that in the old one's place. */
  async #compact(): Promise<void> {
    const { identity, producers, rows } = this.#tables.record();
    const content = Buffer.concat([Buffer.from(HEADER), encodeLine({ ...(identity === undefined ? {} : { identity }), producers, rows })]);
    const path = `${this.#path}.new`;
    const file = await open(path, 'w', 0o600);
    try {
      await file.writeFile(content);
      await file.datasync();
      await rename(path, this.#path);
      await syncFolder(dirname(this.#path));
    } catch (error) {
      await file.close();
      throw error;
    }
    await this.#file?.close();
    this.#file = file;
    this.#length = content.length;
    this.#compactAtBytes = Math.max(this.#compactBytes, 4 * content.length);
  }
}

/** A rename is durable when the folder is; Windows has no such call and needs none. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function encodeLine(changes: OutboxChanges): Buffer {
  const { rows, ...others } = changes;
  const text = JSON.stringify({
    ...others,
    ...(rows === undefined ? {} : { rows: rows.map((row) => ({ ...row, items: row.items.map(encodeItem) })) }),
  });
  return Buffer.from(`${checksum(text)} ${text}\n`);
}

/** `undefined` for a line that was not written whole. */
function decodeLine(line: string): OutboxChanges | undefined {
  const text = line.slice(9);
  if (line.slice(0, 9) !== `${checksum(text)} `) return undefined;
  const { rows, ...others } = JSON.parse(text) as Omit<OutboxChanges, 'rows'> & {
    rows?: readonly (Omit<RowRecord, 'items'> & { items: readonly Item[] })[];
  };
  return { ...others, ...(rows === undefined ? {} : { rows: rows.map((row) => ({ ...row, items: row.items.map(decodeItem) })) }) };
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, '0');
}

/** As in the frames (HF-1.6): JSON as `data`, bytes as base64. */
type Item = { readonly data: Json } | { readonly bytes: string };

function encodeItem(data: Data): Item {
  return data instanceof Uint8Array ? { bytes: encodeBase64(data) } : { data };
}

function decodeItem(item: Item): Data {
  return 'bytes' in item ? decodeBase64(item.bytes) : item.data;
}
