/**
 * A position in a file, so that the next process goes on where this one ended. It is replaced as a whole (written beside,
 * synced, renamed): at any moment the file holds one whole position. While one is being written only the newest of those
 * that follow is kept.
 */

import { open, readFile, rename, rm } from 'node:fs/promises';
import type { Position } from '@holdfast/wire';
import { CommandFailure } from './failure.ts';

export class PositionFile {
  readonly #path: string;
  readonly #topic: string;
  #newest: Position | undefined;
  #stored: Position | undefined;
  #writing: Promise<void> | undefined;
  #failure: Error | undefined;

  constructor(path: string, topic: string) {
    this.#path = path;
    this.#topic = topic;
  }

  /** What is stored; `undefined` where there is no file. Rejects for a file that is something else, or of another topic. */
  async load(): Promise<Position | undefined> {
    const text = await readFile(this.#path, 'utf8').catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    });
    if (text === undefined) return undefined;
    const { topic, position } = this.#parse(text);
    if (topic !== this.#topic)
      throw new CommandFailure(`${this.#path} holds a position in ${topic}, not in ${this.#topic}`, 'Name another file with --position.');
    this.#stored = position;
    return position;
  }

  /** Begins to store it, unless it is stored. A failure comes out of `flush`. */
  store(position: Position | undefined): void {
    if (position === undefined || isSame(position, this.#newest ?? this.#stored)) return;
    this.#newest = position;
    this.#writing ??= this.#write().catch((error: unknown) => {
      this.#failure = error as Error;
    });
  }

  /** Whether storing failed: going on would lose the place. */
  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  /** Resolves when everything handed in is on the disk. */
  async flush(): Promise<void> {
    await this.#writing;
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #write(): Promise<void> {
    while (this.#newest !== undefined) {
      const position = this.#newest;
      this.#newest = undefined;
      await this.#replace(`${JSON.stringify({ topic: this.#topic, ...position })}\n`);
      this.#stored = position;
    }
    this.#writing = undefined;
  }

  async #replace(text: string): Promise<void> {
    const part = `${this.#path}.part-${process.pid}`;
    try {
      const file = await open(part, 'w');
      try {
        await file.writeFile(text);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(part, this.#path);
    } catch (error) {
      await rm(part, { force: true });
      throw error;
    }
  }

  #parse(text: string): { readonly topic: string; readonly position: Position } {
    try {
      const { topic, epoch, offset, revision } = JSON.parse(text) as Record<string, unknown>;
      if (typeof topic === 'string' && typeof epoch === 'string' && isCount(offset) && isCount(revision))
        return { topic, position: { epoch, offset, revision } };
    } catch {
      // No JSON: the same complaint.
    }
    throw new CommandFailure(
      `${this.#path} holds no position`,
      'Name a file that "holdfast tail --position" wrote, or one that does not exist yet.',
    );
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isSame(one: Position, other: Position | undefined): boolean {
  return one.epoch === other?.epoch && one.offset === other.offset && one.revision === other.revision;
}
