/** The main thread's end of a worker: numbers the calls, and settles each promise once, also when the worker dies. */

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { HoldfastError } from '@holdfast/wire';
import type { Failure } from './failure.ts';
import type { Answer, Ready, WorkerTask } from './messages.ts';

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: Error) => void;
}

export class WorkerClient<Call extends object> {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #exited: Promise<void>;
  #lastId = 0;
  #failureCount = 0;
  #dead: Error | undefined;

  /** Resolves when the worker is ready, or has done its one thing; rejects with why it could not. */
  static async start<Call extends object>(task: WorkerTask): Promise<{ client: WorkerClient<Call>; ready: Ready }> {
    const client = new WorkerClient<Call>(task);
    try {
      const ready = await new Promise<unknown>((resolve, reject) => client.#waiting.set(0, { resolve, reject }));
      return { client, ready: ready as Ready };
    } catch (error) {
      await client.#exited;
      throw error;
    }
  }

  private constructor(task: WorkerTask) {
    // No flags of the process: a worker is plain JavaScript. Node's SQLite still announces that it is new.
    this.#worker = new Worker(workerUrl(), { workerData: task, execArgv: ['--disable-warning=ExperimentalWarning'] });
    this.#worker.on('message', (answers: readonly Answer[]) => {
      for (const answer of answers) this.#settle(answer);
    });
    this.#worker.on('error', (cause) =>
      this.#die(new HoldfastError('STORE_UNAVAILABLE', `The store's thread failed: ${cause.message}`, { cause })),
    );
    this.#exited = new Promise((resolve) => {
      this.#worker.once('exit', () => {
        this.#die(new HoldfastError('STORE_UNAVAILABLE', 'The store is closed, or its thread has ended.'));
        resolve();
      });
    });
  }

  /** How many failed commits this side has been told of. */
  get failureCount(): number {
    return this.#failureCount;
  }

  /** Asks; the answer's type is the caller's to know. Rejects at once when the worker is gone. */
  call(call: Call): Promise<unknown> {
    if (this.#dead) return Promise.reject(this.#dead);
    const id = (this.#lastId += 1);
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ ...call, id });
    });
  }

  /** When the thread has ended, by itself. */
  get exited(): Promise<void> {
    return this.#exited;
  }

  #settle({ id, value, failure, failureCount }: Answer): void {
    this.#failureCount = Math.max(this.#failureCount, failureCount ?? 0);
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (failure) waiting?.reject(errorOf(failure));
    else waiting?.resolve(value);
  }

  #die(error: Error): void {
    this.#dead ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#dead);
    this.#waiting.clear();
  }
}

function errorOf({ code, message, hint }: Failure): Error {
  return code === undefined ? new Error(message) : new HoldfastError(code, message, hint === undefined ? {} : { hint });
}

/** Beside this file once it is compiled. Run from its TypeScript source (tests), the compiled worker is used. */
function workerUrl(): URL {
  if (!import.meta.url.endsWith('.ts')) return new URL('./worker.js', import.meta.url);
  const url = new URL('../dist/worker.js', import.meta.url);
  if (!existsSync(fileURLToPath(url))) throw new Error('The worker of @holdfast/store-sqlite is not compiled: run "npx tsc -b".');
  return url;
}
