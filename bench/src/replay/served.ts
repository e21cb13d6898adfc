/** `holdfast serve` as a process of its own, that can be killed and started again on the same data and port. */

import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../../packages/cli/dist/main.js', import.meta.url));

export interface ServedOptions {
  /** The data folder; `undefined`: in memory. */
  readonly data: string | undefined;
}

export class Served {
  readonly #options: ServedOptions;
  #port = 0;
  #child: ChildProcess | undefined;
  #exited: Promise<number | null> = Promise.resolve(0);
  #isUp = false;
  #isWanted = false;
  #isOver = false;
  /** Rejects when the server ends without having been told to. */
  readonly failed: Promise<never>;
  #fail!: (error: Error) => void;

  constructor(options: ServedOptions) {
    if (!existsSync(MAIN)) throw new Error('The command line is not built: run "npx tsc -b".');
    this.#options = options;
    this.failed = new Promise((_resolve, reject) => (this.#fail = reject));
    this.failed.catch(() => {});
  }

  get url(): string {
    return `ws://127.0.0.1:${this.#port}`;
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** Resolves when it listens: on any free port the first time, on that one afterwards. */
  async start(): Promise<void> {
    if (this.#isOver) return;
    const { data } = this.#options;
    const args = ['serve', '--port', String(this.#port), ...(data === undefined ? ['--memory'] : ['--data', data])];
    const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, NODE_ENV: '' } });
    this.#child = child;
    this.#isWanted = true;
    this.#exited = new Promise((resolve) => {
      child.once('exit', (code) => {
        if (this.#isWanted && this.#isUp) this.#fail(new Error(`the server ended by itself, with exit code ${code}`));
        this.#isUp = false;
        resolve(code);
      });
    });
    for await (const line of createInterface({ input: child.stdout })) {
      const port = / is listening on http:\/\/localhost:(\d+)$/.exec(line)?.[1];
      if (port === undefined) continue;
      this.#port = Number(port);
      this.#isUp = true;
      // It goes on printing; nobody reads, and the pipe must not fill up.
      child.stdout.resume();
      return;
    }
    const code = await this.#exited;
    if (!this.#isOver) throw new Error(`the server ended before it listened, with exit code ${code}`);
  }

  /** `kill -9`. Resolves when it is gone. */
  async kill(): Promise<void> {
    this.#isWanted = false;
    this.#child?.kill('SIGKILL');
    await this.#exited;
  }

  /** Kills it, and whatever of it would still be started. */
  async abandon(): Promise<void> {
    this.#isOver = true;
    await this.kill();
  }

  /** SIGTERM. Resolves with its exit code. */
  async stop(): Promise<number | null> {
    this.#isWanted = false;
    this.#child?.kill('SIGTERM');
    return this.#exited;
  }
}
