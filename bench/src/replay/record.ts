/**
 * What somebody saw of one topic, in a file: a line per entry, so that sequences of any length can be compared without
 * being held in memory.
 */

import { createHash } from 'node:crypto';
import { closeSync, createReadStream, ftruncateSync, openSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { EntryRecord } from '@holdfast/wire';

/** Bytes that wait before they are written. */
const BUFFER_BYTES_MAX = 65_536;

/** An entry as a line: its offset, a digest of all of it, and the line of the file that it says it is. */
export function recordOf({ offset, producer, seq, from, at, data }: EntryRecord): string {
  const digest = createHash('sha1')
    .update(JSON.stringify([offset, producer, seq, from, at, data]))
    .digest('base64url');
  const { file, line } = data as { file?: unknown; line?: unknown };
  return `${offset} ${digest} ${JSON.stringify(`${String(file)}:${String(line)}`)}`;
}

export class RecordFile {
  readonly #file: number;
  #buffer: string[] = [];
  #bufferBytes = 0;
  #bytes: number;

  /** Goes on after the first `bytes` bytes; what lies behind them is cut off. */
  constructor(path: string, bytes: number) {
    this.#file = openSync(path, bytes === 0 ? 'w' : 'r+');
    ftruncateSync(this.#file, bytes);
    this.#bytes = bytes;
  }

  /** Its length with what is not written yet, bytes. */
  get bytes(): number {
    return this.#bytes + this.#bufferBytes;
  }

  append(record: string): void {
    this.#buffer.push(record, '\n');
    this.#bufferBytes += Buffer.byteLength(record) + 1;
    if (this.#bufferBytes >= BUFFER_BYTES_MAX) this.flush();
  }

  /** Hands everything to the operating system: it survives the death of this process. */
  flush(): void {
    if (this.#bufferBytes === 0) return;
    const text = Buffer.from(this.#buffer.join(''));
    for (let at = 0; at < text.length;) at += writeSync(this.#file, text, at, text.length - at, this.#bytes + at);
    this.#bytes += text.length;
    this.#buffer = [];
    this.#bufferBytes = 0;
  }

  close(): void {
    this.flush();
    closeSync(this.#file);
  }
}

/** The records of a file, one after the other. */
export function readRecords(path: string): AsyncIterable<string> {
  return createInterface({ input: createReadStream(path, 'utf8') });
}

/** The first place where two files differ, in words; `undefined` where they do not. */
export async function firstDifference(path: string, otherPath: string): Promise<string | undefined> {
  const others = readRecords(otherPath)[Symbol.asyncIterator]();
  let number = 0;
  try {
    for await (const record of readRecords(path)) {
      number += 1;
      const { done, value } = await others.next();
      if (done === true) return `ends after ${number - 1} records; ${record} is next`;
      if (value !== record) return `has ${value} where ${record} is next`;
    }
    const { done, value } = await others.next();
    return done === true ? undefined : `goes on after ${number} records, with ${String(value)}`;
  } finally {
    await others.return?.();
  }
}
