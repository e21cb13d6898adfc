/**
 * A lock file that names the process that holds it. A process that died leaves its file behind; whoever comes next sees
 * that no such process lives and takes over. Two threads of one process must not use one path: they share its number.
 */

import { link, open, readFile, rename, unlink } from 'node:fs/promises';
import { HoldfastError } from '@holdfast/wire';

/** Locks that this process holds: its own number in a file says nothing else, since numbers are used again. */
const held = new Set<string>();

export class FileLock {
  readonly #path: string;
  #isHeld = false;

  constructor(path: string) {
    this.#path = path;
  }

  /** Rejects with `STORE_UNAVAILABLE` while another owner is alive. */
  async acquire(): Promise<void> {
    if (this.#isHeld || held.has(this.#path)) throw this.#taken(process.pid);
    held.add(this.#path);
    try {
      while (!(await this.#create())) await this.#removeStale();
    } catch (error) {
      held.delete(this.#path);
      throw error;
    }
    this.#isHeld = true;
  }

  async release(): Promise<void> {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    await unlink(this.#path).catch(() => {});
    held.delete(this.#path);
  }

  async #create(): Promise<boolean> {
    // Written whole under another name first: nobody ever reads a lock without a number.
    const draft = `${this.#path}.${process.pid}`;
    const file = await open(draft, 'w', 0o600);
    await file.writeFile(`${process.pid}\n`);
    await file.close();
    try {
      await link(draft, this.#path);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    } finally {
      await unlink(draft);
    }
  }

  async #removeStale(): Promise<void> {
    const pid = await readPid(this.#path);
    if (pid === undefined) return;
    if (isAlive(pid)) throw this.#taken(pid);
    // Only one of several can rename it. Whoever finds that it took a new owner's lock gives it back.
    const aside = `${this.#path}.${process.pid}.stale`;
    const isMine = await rename(this.#path, aside).then(
      () => true,
      () => false,
    );
    if (!isMine) return;
    const found = await readPid(aside);
    if (found !== undefined && isAlive(found)) await link(aside, this.#path).catch(() => {});
    await unlink(aside);
  }

  #taken(pid: number): HoldfastError {
    return new HoldfastError('STORE_UNAVAILABLE', `the outbox belongs to process ${pid} (${this.#path})`, {
      hint: 'Give each process an outbox of its own.',
    });
  }
}

async function readPid(path: string): Promise<number | undefined> {
  try {
    return Number.parseInt(await readFile(path, 'utf8'), 10);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function isAlive(pid: number): boolean {
  // A file with this process's number that is not in `held` is of an earlier process with the same number.
  if (!Number.isInteger(pid) || pid <= 0 || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
