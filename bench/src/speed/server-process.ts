/** A server under load: a process of its own on the first core, and what the system says of it. */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { pinned } from '../load/load-generator.ts';

/** A program that listens. */
export interface Listening {
  readonly child: ChildProcess;
  readonly port: number;
}

/** Starts a program that prints its port as the first line, on the first core, with a channel for messages if asked. Rejects if it ends instead. */
export async function startPrinting(program: string, args: readonly string[], channel: readonly 'ipc'[] = []): Promise<Listening> {
  const child = spawn(...pinned(0, program, args), { stdio: ['ignore', 'pipe', 'inherit', ...channel] });
  const { value } = await createInterface({ input: child.stdout! })[Symbol.asyncIterator]().next();
  const port = Number(value);
  if (!Number.isInteger(port) || port === 0) throw new Error(`${program} ${args.join(' ')} did not start: ${String(value)}`);
  return { child, port };
}

export class ServerProcess {
  readonly port: number;
  readonly #child: ChildProcess;

  protected constructor({ child, port }: Listening) {
    this.#child = child;
    this.port = port;
  }

  /** Starts a program that prints its port as the first line. Rejects if it ends instead. */
  static async printing(program: string, args: readonly string[]): Promise<ServerProcess> {
    return new ServerProcess(await startPrinting(program, args));
  }

  /** Starts a program that listens on the port that it is told. Rejects if nothing listens there within 10 s. */
  static async told(program: string, argsOf: (port: number) => readonly string[]): Promise<ServerProcess> {
    const port = await freePort();
    const child = spawn(...pinned(0, program, argsOf(port)), { stdio: 'ignore' });
    for (let round = 0; !(await isListening(port)); round++) {
      if (round === 200 || child.exitCode !== null) throw new Error(`${program} does not listen`);
      await sleep(50);
    }
    return new ServerProcess({ child, port });
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Resident memory, bytes. */
  get residentBytes(): number {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1_024;
  }

  /** User and system time of all threads, ms. */
  get cpuMs(): number {
    const stat = readFileSync(`/proc/${this.pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * 10;
  }

  /** Lets it end by itself, as one that is to write something at its end does. Kills it after 20 s. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 20_000);
    await exited;
    clearTimeout(timer);
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
