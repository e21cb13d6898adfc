/** A server on the first core that tells of itself when it is asked (`peers/gauge.mjs`). */

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { ServerProcess, startPrinting, type Listening } from '../speed/server-process.ts';

/** Counters of the server's own, since it began; empty where it has none. */
export interface ServerCounts {
  /** How often each limit was reached. */
  readonly limited?: Readonly<Record<string, number>>;
  /** Closed connections by close code. */
  readonly closed?: Readonly<Record<string, number>>;
}

/** How late the event loop was, beyond when it was due: sampled every 10 ms. */
export interface LoopDelay extends ServerCounts {
  readonly delayP99Ms: number;
  readonly delayMaxMs: number;
}

/** After the garbage was collected. */
export interface Memory {
  readonly residentBytes: number;
  /** The heap's used part, and buffers. */
  readonly heldBytes: number;
}

export class GaugedServer extends ServerProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<never>;

  private constructor(listening: Listening) {
    super(listening);
    this.#child = listening.child;
    this.#ended = once(this.#child, 'exit').then(() => {
      throw new Error('the server ended');
    });
    this.#ended.catch(() => {});
  }

  /** Starts a file of `bench/peers`. Rejects if it ends instead of printing its port. */
  static async start(file: string, args: readonly string[]): Promise<GaugedServer> {
    const path = fileURLToPath(new URL(`../../peers/${file}`, import.meta.url));
    return new GaugedServer(await startPrinting(process.execPath, ['--expose-gc', path, ...args], ['ipc']));
  }

  /** Watches the event loop from now on. */
  begin(): Promise<ServerCounts> {
    return this.#ask('begin');
  }

  end(): Promise<LoopDelay> {
    return this.#ask('end');
  }

  memory(): Promise<Memory> {
    return this.#ask('memory');
  }

  async #ask<Told>(what: 'begin' | 'end' | 'memory'): Promise<Told> {
    const answer = once(this.#child, 'message');
    this.#child.send(what);
    const [told] = (await Promise.race([answer, this.#ended])) as [Told];
    return told;
  }
}
