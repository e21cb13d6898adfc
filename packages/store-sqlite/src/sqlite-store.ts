/**
 * The durable store: a SQLite file, written by one thread and read by another, so that neither the disk nor a long read
 * ever holds up the event loop, or each other. This file is the main thread's half: it knows no SQL, and the threads know
 * no promise. Calls reach the writer in the order in which they were made; reads and registers are answered by the other
 * thread, from what is committed by then.
 */

import { randomBytes } from 'node:crypto';
import { join, resolve } from 'node:path';
import type { Batch, Head, Page, PageLimits, ProducerMemory, Range, Register, Retention, TopicStore } from '@holdfast/server';
import { HoldfastError } from '@holdfast/wire';
import { columnsOf, memoryOf, pageOf, sizeOf } from './batch-columns.ts';
import type { DriverName } from './driver.ts';
import type { BatchColumns, PageColumns, ProducerColumns, ReaderCall, Ready, WriterCall, WriterTask } from './messages.ts';
import { WorkerClient } from './worker-client.ts';

export interface SqliteStoreOptions {
  /** The folder; the store is `holdfast.db` in it. Made where it is missing. Either this or `path`. */
  readonly directory?: string;
  /** The file itself. */
  readonly path?: string;
  /** Outcomes kept per producer and topic (HF-6.3). Default 64. */
  readonly outcomesMax?: number;
  /** `full` (default): a resolved `apply` survives power loss. `normal`: the process's death only, with far fewer syncs. */
  readonly synchronous?: 'full' | 'normal';
  /** Default: `node:sqlite` where the runtime has it, else `better-sqlite3`. */
  readonly driver?: DriverName;
  /** A bound of the file, bytes, from 1,000,000: at it everything is refused with `STORE_READ_ONLY`, as on a full disk. Default: none. */
  readonly fileBytesMax?: number;
  /** About how much memory the batches on their way to the disk may hold, bytes; beyond it `apply` rejects with `OVERLOADED`. Default 256 MB. */
  readonly queueBytesMax?: number;
  /** For tests and benchmarks only: makes every commit that many ms longer, as a slow disk would. Default 0. */
  readonly commitDelayMs?: number;
}

export interface SqliteStore extends TopicStore {
  /** The file, absolute. */
  readonly path: string;
  readonly driver: DriverName;
  /** Of the SQLite library in use, such as `3.53.2`. */
  readonly sqliteVersion: string;
}

/**
 * Opens a store, making it where there is none. Rejects with `STORE_UNAVAILABLE` while another process has it open,
 * `STORE_CORRUPT` for a damaged or foreign file, `STORE_READ_ONLY` where nothing can be written, and `USAGE` for wrong
 * options, a newer Holdfast's file, or when no SQLite library is there. Close it: its threads keep the process alive.
 */
export async function createSqliteStore(options: SqliteStoreOptions): Promise<SqliteStore> {
  const path = pathOf(options);
  const task: WriterTask = {
    path,
    driver: options.driver,
    outcomesMax: wholeNumber('outcomesMax', options.outcomesMax ?? 64, 1),
    synchronous: options.synchronous ?? 'full',
    commitDelayMs: options.commitDelayMs ?? 0,
    fileBytesMax: options.fileBytesMax === undefined ? undefined : wholeNumber('fileBytesMax', options.fileBytesMax, 1_000_000),
  };
  const queueBytesMax = wholeNumber('queueBytesMax', options.queueBytesMax ?? 268_435_456, 1);
  const writer = await WorkerClient.start<WriterCall>({ role: 'writer', ...task });
  const { driver } = writer.ready;
  try {
    // Now that the writer has seen to it that there is a store.
    const reader = await WorkerClient.start<ReaderCall>({ role: 'reader', path, driver });
    return new OpenStore(task, queueBytesMax, writer.ready, writer.client, reader.client);
  } catch (error) {
    await writer.client.call({ kind: 'close' });
    throw error;
  }
}

export interface RestoreOptions {
  /** What `backup` wrote. */
  readonly from: string;
  /** Where the store shall be: as in `SqliteStoreOptions`. */
  readonly directory?: string;
  readonly path?: string;
  /** Default false: refuse where a store is. True: put that one aside, beside the new one. */
  readonly replace?: boolean;
  readonly driver?: DriverName;
  /** Gives so many random bytes, for the new epochs. Default: the system's. */
  readonly random?: (byteCount: number) => Uint8Array;
}

/**
 * Makes a store of a backup. Every topic begins a new epoch: clients that have seen what came after the backup are told
 * of the break, and are not served another history under the same offsets. Resolves with where it is, and where the store
 * that was there has gone. Rejects with `USAGE` (no backup, a store is there), `STORE_UNAVAILABLE` (that store is open),
 * `STORE_CORRUPT` (the backup is damaged), `STORE_READ_ONLY`; what was there is then as it was.
 */
export async function restoreBackup(options: RestoreOptions): Promise<{ readonly path: string; readonly replaced: string | undefined }> {
  const path = pathOf(options);
  const random = options.random ?? ((byteCount: number): Uint8Array => randomBytes(byteCount));
  const epochPrefix = Buffer.from(random(9)).toString('base64url');
  const { ready, client } = await WorkerClient.start<never>({
    role: 'restore',
    from: resolve(options.from),
    path,
    driver: options.driver,
    replace: options.replace ?? false,
    epochPrefix,
  });
  await client.exited;
  return { path, replaced: ready.replaced };
}

class OpenStore implements SqliteStore {
  readonly durability: 'process' | 'fsync';
  readonly outcomesMax: number;
  readonly path: string;
  readonly driver: DriverName;
  readonly sqliteVersion: string;
  readonly #writer: WorkerClient<WriterCall>;
  readonly #reader: WorkerClient<ReaderCall>;
  readonly #backups = new Set<Promise<void>>();
  readonly #queueBytesMax: number;
  #queueBytes = 0;
  #closed: Promise<void> | undefined;

  constructor(
    task: WriterTask,
    queueBytesMax: number,
    { driver, sqliteVersion }: Ready,
    writer: WorkerClient<WriterCall>,
    reader: WorkerClient<ReaderCall>,
  ) {
    this.#queueBytesMax = queueBytesMax;
    this.durability = task.synchronous === 'full' ? 'fsync' : 'process';
    this.outcomesMax = task.outcomesMax;
    this.path = task.path;
    this.driver = driver;
    this.sqliteVersion = sqliteVersion;
    this.#writer = writer;
    this.#reader = reader;
  }

  async apply(batch: Batch): Promise<void> {
    this.#assertOpen();
    await this.#send(columnsOf(batch));
  }

  async #send(batch: BatchColumns): Promise<void> {
    const bytes = sizeOf(batch);
    if (this.#queueBytes > 0 && this.#queueBytes + bytes > this.#queueBytesMax) {
      throw new HoldfastError(
        'OVERLOADED',
        `${this.#queueBytes} bytes are waiting for the disk already; nothing of this batch was stored.`,
      );
    }
    this.#queueBytes += bytes;
    try {
      await this.#writer.call({ kind: 'apply', batch, failureCount: this.#writer.failureCount });
    } finally {
      this.#queueBytes -= bytes;
    }
  }

  async head(topic: string): Promise<Head | undefined> {
    this.#assertOpen();
    return (await this.#writer.call({ kind: 'head', topic })) as Head | undefined;
  }

  async read(topic: string, range: Range, limits: PageLimits): Promise<Page | undefined> {
    this.#assertOpen();
    const columns = (await this.#reader.call({ kind: 'read', topic, range, limits })) as PageColumns | undefined;
    return columns && pageOf(columns);
  }

  async outcomes(topic: string, subject: string, producer: string): Promise<ProducerMemory | undefined> {
    this.#assertOpen();
    const columns = (await this.#writer.call({ kind: 'outcomes', topic, subject, producer })) as ProducerColumns | undefined;
    return columns && memoryOf(columns);
  }

  async registers(topic: string, afterRevision: number): Promise<readonly Register[]> {
    this.#assertOpen();
    return (await this.#reader.call({ kind: 'registers', topic, afterRevision })) as Register[];
  }

  async topics(after: string | undefined, countMax: number): Promise<readonly ({ readonly topic: string } & Head)[]> {
    this.#assertOpen();
    return (await this.#reader.call({ kind: 'topics', after, countMax })) as ({ readonly topic: string } & Head)[];
  }

  async trim(topic: string, keep: Retention): Promise<Head | undefined> {
    this.#assertOpen();
    return (await this.#writer.call({ kind: 'trim', topic, keep })) as Head | undefined;
  }

  async remove(topic: string): Promise<void> {
    this.#assertOpen();
    await this.#writer.call({ kind: 'remove', topic });
  }

  async expireProducers(at: number): Promise<number> {
    this.#assertOpen();
    return (await this.#writer.call({ kind: 'expire', at })) as number;
  }

  async backup(path: string): Promise<void> {
    this.#assertOpen();
    const done = WorkerClient.start<never>({ role: 'backup', path: this.path, driver: this.driver, to: resolve(path) }).then(
      ({ client }) => client.exited,
    );
    this.#backups.add(done);
    try {
      await done;
    } finally {
      this.#backups.delete(done);
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    await Promise.allSettled(this.#backups);
    // The writer last: the connection that closes last puts everything into the one file.
    for (const worker of [this.#reader, this.#writer]) {
      await worker.call({ kind: 'close' }).catch(() => undefined);
      await worker.exited;
    }
  }

  #assertOpen(): void {
    if (this.#closed) throw new HoldfastError('STORE_UNAVAILABLE', 'The store is closed.');
  }
}

function pathOf({ directory, path }: { readonly directory?: string; readonly path?: string }): string {
  if ((directory === undefined) === (path === undefined)) throw new HoldfastError('USAGE', 'Give a store either "directory" or "path".');
  return resolve(path ?? join(directory!, 'holdfast.db'));
}

function wholeNumber(name: string, value: number, min: number): number {
  if (Number.isSafeInteger(value) && value >= min) return value;
  throw new HoldfastError('USAGE', `${name} is ${value}; it must be a whole number from ${min}.`);
}
