/**
 * Many clients in a process of their own. This file is both ends: run as a program it is the clients, which tell their
 * parent how far they are; imported it starts that program.
 */

import { fork, type ChildProcess } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import { Account, type AccountRecord } from './account.ts';
import { programOf } from './child-program.ts';
import type { ContenderName } from './contender.ts';
import { FOLLOWERS } from './followers.ts';
import { instantMs } from './instant.ts';

export interface GroupTask {
  readonly contender: ContenderName;
  /** The port of each client's link. */
  readonly ports: readonly number[];
  /** The number of the first client among all. */
  readonly first: number;
}

/** Sums over the clients of a group. */
export interface GroupState {
  readonly readyCount: number;
  readonly openCount: number;
  /** Numbers that each client got or was told to be missing. */
  readonly accountedCount: number;
}

type Told = { readonly state: GroupState } | { readonly records: readonly AccountRecord[] };

const TELL_INTERVAL_MS = 200;
/** Clients begin in so many steps, so that no herd is made by the audit itself. */
const BEGIN_AT_ONCE = 50;
const BEGIN_EVERY_MS = 100;

export class FollowerGroup {
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  #isWanted = true;
  #onRecords: (records: readonly AccountRecord[]) => void = () => {};
  state: GroupState = { readyCount: 0, openCount: 0, accountedCount: 0 };
  /** Rejects when the process ends without having been told to. */
  readonly failed: Promise<never>;

  constructor(task: GroupTask) {
    let fail: (error: Error) => void;
    this.failed = new Promise((_resolve, reject) => (fail = reject));
    this.failed.catch(() => {});
    const child = fork(programOf(import.meta.url), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], execArgv: [] });
    this.#child = child;
    this.#exited = new Promise((resolve) => {
      child.once('exit', (code) => {
        if (this.#isWanted) fail(new Error(`the process of the clients ended by itself, with exit code ${code}`));
        resolve();
      });
    });
    child.on('message', (told: Told) => {
      if ('state' in told) this.state = told.state;
      else this.#onRecords(told.records);
    });
    child.send(task);
  }

  /** The accounts as they are now; the process ends. */
  async finish(): Promise<readonly AccountRecord[]> {
    const records = new Promise<readonly AccountRecord[]>((resolve) => (this.#onRecords = resolve));
    this.#child.send('finish');
    const result = await Promise.race([records, this.failed]);
    await this.kill();
    return result;
  }

  async kill(): Promise<void> {
    this.#isWanted = false;
    this.#child.kill('SIGKILL');
    await this.#exited;
  }
}

async function follow({ contender, ports, first }: GroupTask, accounts: Account[]): Promise<void> {
  for (const [index, port] of ports.entries()) {
    const account = new Account(instantMs);
    accounts.push(account);
    FOLLOWERS[contender](port, `client-${first + index}`, account);
    if (index % BEGIN_AT_ONCE === BEGIN_AT_ONCE - 1) await new Promise((resolve) => setTimeout(resolve, BEGIN_EVERY_MS));
  }
}

function run(): void {
  const accounts: Account[] = [];
  const tell = (told: Told): void => void process.send?.(told);
  const timer = setInterval(() => {
    tell({
      state: {
        readyCount: accounts.filter(({ isReady }) => isReady).length,
        openCount: accounts.filter(({ isOpen }) => isOpen).length,
        accountedCount: accounts.reduce((sum, { accountedCount }) => sum + accountedCount, 0),
      },
    });
  }, TELL_INTERVAL_MS);
  process.on('message', (order: GroupTask | 'finish') => {
    if (order !== 'finish') return void follow(order, accounts);
    clearInterval(timer);
    tell({ records: accounts.map((account) => account.record()) });
  });
  // Its parent is gone: nobody would ever end it.
  process.once('disconnect', () => process.exit());
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) run();
