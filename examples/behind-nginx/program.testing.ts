/** Programs of this machine: which are missing, and one that runs until it is ended by its id. */

import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';

export const CHROMIUM: string = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
/** Debian's own: python3-websockets belongs to no other. */
export const PYTHON = '/usr/bin/python3';

const NEEDED: Readonly<Record<string, readonly [string, ...string[]]>> = {
  'nginx-light': ['nginx', '-v'],
  openssl: ['openssl', 'version'],
  'libnss3-tools': ['sh', '-c', 'command -v certutil'],
  curl: ['curl', '--version'],
  'python3-websockets': [PYTHON, '-c', 'import websockets'],
};

/** The Debian packages whose programs are not here. */
export function missingPackages(): readonly string[] {
  const missing = Object.entries(NEEDED).flatMap(([name, [command, ...args]]) => (runs(command, args) ? [] : [name]));
  return existsSync(CHROMIUM) ? missing : [...missing, 'chromium'];
}

function runs(command: string, args: readonly string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** A program that serves until `end`. What it prints is kept. */
export class Daemon {
  output = '';
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  readonly #watchers = new Set<() => void>();

  constructor(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.#child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout!, this.#child.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
        this.#look();
      });
    }
    this.#ended = new Promise((resolve) => {
      const ended = (): void => {
        resolve();
        this.#look();
      };
      this.#child.once('close', ended).once('error', (error) => {
        this.output += String(error);
        ended();
      });
    });
  }

  get isRunning(): boolean {
    return this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Waits until the output matches; rejects if the program ends without. */
  async prints(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.output);
      if (match !== null) return match;
      if (!this.isRunning) throw new Error(`ended without printing ${String(pattern)}:\n${this.output}`);
      await new Promise<void>((resolve) => this.#watchers.add(resolve));
    }
  }

  async end(): Promise<void> {
    if (this.isRunning) this.#child.kill('SIGTERM');
    await this.#ended;
  }

  #look(): void {
    for (const watcher of this.#watchers) watcher();
    this.#watchers.clear();
  }
}

/** Two ports of the loopback address that were free a moment ago, for programs that must be told one. */
export async function freePorts(): Promise<readonly [number, number]> {
  const servers = [createServer(), createServer()];
  const ports = await Promise.all(
    servers.map(async (server) => {
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return (server.address() as AddressInfo).port;
    }),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return [ports[0]!, ports[1]!];
}
