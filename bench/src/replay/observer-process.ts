/**
 * An observer as a process of its own, to be killed at any moment. This file is both ends: run as a program it is the
 * observer, which tells its parent how far it is; imported it starts that program.
 */

import { fork, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { webSocketFactory } from '@holdfast/client';
import { WebSocket } from 'ws';
import { Observer, type ObserverOptions } from './observer.ts';

/** What can be passed to another process. */
export type ObserverTask = Omit<ObserverOptions, 'socket'>;

type Order = 'hurry' | 'close';

interface Told {
  readonly offsets: Readonly<Record<string, number>>;
}

const TELL_INTERVAL_MS = 200;

export class ObserverProcess {
  readonly #task: ObserverTask;
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();
  #offsets: Readonly<Record<string, number>> = {};
  #isHurried = false;
  /** Rejects when the process ends without having been told to. */
  readonly failed: Promise<never>;
  #fail!: (error: Error) => void;

  constructor(task: ObserverTask) {
    this.#task = task;
    this.failed = new Promise((_resolve, reject) => (this.#fail = reject));
    this.failed.catch(() => {});
    this.start();
  }

  /** As it was told last. */
  offsets(): Readonly<Record<string, number>> {
    return this.#offsets;
  }

  /** Also again, after `kill`. */
  start(): void {
    const child = fork(program(), [JSON.stringify(this.#task)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], execArgv: [] });
    this.#child = child;
    this.#exited = new Promise((resolve) => {
      child.once('exit', (code) => {
        if (this.#child === child)
          this.#fail(new Error(`the process of the observer "${this.#task.name}" ended by itself, with exit code ${code}`));
        resolve();
      });
    });
    child.on('message', (told) => {
      this.#offsets = (told as Told).offsets;
    });
    if (this.#isHurried) this.hurry();
  }

  hurry(): void {
    this.#isHurried = true;
    this.#child?.send('hurry' satisfies Order);
  }

  /** `kill -9`. Resolves when it is gone. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    child?.kill('SIGKILL');
    await this.#exited;
  }

  async close(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    child?.send('close' satisfies Order);
    await this.#exited;
  }
}

/** A test runs this file as it is written, and the process needs it compiled. */
function program(): string {
  const path = fileURLToPath(
    new URL(import.meta.url.endsWith('.ts') ? '../../dist/replay/observer-process.js' : import.meta.url, import.meta.url),
  );
  if (!existsSync(path)) throw new Error('The observer is not built: run "npx tsc -b".');
  return path;
}

function observe(task: ObserverTask): void {
  const observer = new Observer({ ...task, socket: webSocketFactory(WebSocket) });
  const tell = (): void => void process.send?.({ offsets: observer.offsets() } satisfies Told);
  const timer = setInterval(tell, TELL_INTERVAL_MS);
  process.on('message', (order: Order) => {
    if (order === 'hurry') return observer.hurry();
    clearInterval(timer);
    void observer.close().then(() => process.disconnect());
  });
  // Its parent is gone: nobody would ever end it.
  process.once('disconnect', () => process.exit());
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href)
  observe(JSON.parse(process.argv[2]!) as ObserverTask);
