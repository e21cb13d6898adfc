/**
 * The load generator (`load.c`) as a process of its own: compiled when it is first used, told what to do line by line. It
 * checks every message that it counts; whatever it finds wrong makes the command fail here.
 */

import { spawn, spawnSync, type ChildProcessByStdio } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';

const SOURCES = ['load.h', 'load.c', 'connection.c', 'sending.c', 'protocols.c', 'payload.c', 'http.c', 'histogram.c', 'storm.c'];

/** Whether there is what it takes: Linux and a C compiler. */
export function canLoad(): boolean {
  return process.platform === 'linux' && spawnSync('cc', ['--version']).status === 0;
}

/** Compiles sources of a folder of `bench/` once for each state that they are in; returns the program's path. Throws what the compiler says. */
export function compiled(name: string, folder: string, sources: readonly string[]): string {
  const paths = sources.map((source) => fileURLToPath(new URL(`../../${folder}/${source}`, import.meta.url)));
  const hash = createHash('sha256');
  for (const path of paths) hash.update(readFileSync(path));
  const cache = join(tmpdir(), 'holdfast-bench');
  const program = join(cache, `${name}-${hash.digest('hex').slice(0, 16)}`);
  if (existsSync(program)) return program;
  mkdirSync(cache, { recursive: true });
  const unfinished = `${program}-${process.pid}`;
  const inputs = paths.filter((path) => path.endsWith('.c'));
  const flags = ['-std=gnu17', '-O2', '-Wall', '-Wextra', '-D_GNU_SOURCE', '-o', unfinished];
  const { status, stderr } = spawnSync('cc', [...flags, ...inputs], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${name} does not compile: ${stderr}`);
  renameSync(unfinished, program);
  return program;
}

/** A command to be run on one core, where there are two and `taskset`. */
export function pinned(core: number, program: string, args: readonly string[]): [string, string[]] {
  const isPossible = cpus().length > 1 && spawnSync('taskset', ['--version']).status === 0;
  return isPossible ? ['taskset', ['-c', String(core), program, ...args]] : [program, [...args]];
}

/** What servers are spoken to in; see `protocols.c` and `http.c`. */
export type Protocol = 'holdfast' | 'plain' | 'socket.io' | 'nats' | 'mqtt' | 'http-poll' | 'http-long' | 'http-sse';

/** Connections that do the same, by number from 0. */
export interface GroupOptions {
  readonly role: 'sub' | 'pub' | 'call';
  readonly count: number;
  /** The first topic, and how many; members take turns. Default: topic 0 alone. */
  readonly topic?: number;
  readonly topics?: number;
  /** Holdfast: resume after this offset of a topic that was subscribed to before. */
  readonly from?: number;
  /** Holdfast: the window of credit, entries. Default: no credit flow. */
  readonly credit?: number;
  /** Whether a message is under way until this group has it. Default true. */
  readonly counted?: boolean;
  /** Handshakes at a time. Default 256. */
  readonly concurrency?: number;
  /** New connections per second at the most. Default: as fast as it goes. */
  readonly pace?: number;
}

export interface SendOptions {
  /** Messages under way for each connection, 1,024 at the most. */
  readonly window: number;
  /** Of the whole group, per second, at fixed times. Default: as fast as the window allows. */
  readonly rate?: number;
  /** Ask for an acknowledgement, and count the message as under way until it is there. Holdfast always does. */
  readonly ack?: boolean;
  /** Messages of each in all; `finish` waits for them. Default: none. */
  readonly limit?: number;
}

export interface Opened {
  readonly ms: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

/** What was counted in one window. */
export interface Counted {
  readonly windowMs: number;
  /** User and system time of the server, all threads. */
  readonly serverCpuMs: number;
  readonly ownCpuMs: number;
  readonly groups: Readonly<Record<string, GroupCounted>>;
}

export interface GroupCounted {
  readonly deliveries: number;
  readonly acks: number;
  readonly replies: number;
  /** Received, with frames and envelopes. */
  readonly bytes: number;
  readonly sentBytes: number;
  /** From when a message was sent, or was due to be, to its delivery or answer. */
  readonly p50Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
}

/** What a group that was dropped came to; times from when it was let come back. */
export interface Returned {
  readonly ms: number;
  /** Connected and subscribed. */
  readonly ready: number;
  /** Of them, those with everything that they missed; the times are theirs. */
  readonly back: number;
  readonly p50Us: number;
  readonly p95Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
  readonly attempts: number;
  /** Attempts that were answered with HTTP 503. */
  readonly refusals: number;
  /** Attempts that ended otherwise before they were through, and those that took too long. */
  readonly broken: number;
  readonly timedOut: number;
  /** Connections that were lost again. */
  readonly relapsed: number;
  /** Socket.IO: connections whose session was not known any more. */
  readonly anew: number;
  /** Messages that never came, came again, came after a later one, and those of before the drop that came only now. */
  readonly lost: number;
  readonly doubled: number;
  readonly disordered: number;
  readonly late: number;
}

interface Answer {
  readonly ms: number;
  readonly errors: number;
  readonly firstError: string;
  readonly refused?: string;
  readonly ready?: number;
  readonly complete?: number;
  readonly isSettled?: boolean;
}

export class LoadGenerator {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;
  readonly #counts = new Map<number, number>();

  constructor(protocol: Protocol, port: number, serverPid: number) {
    const program = compiled('load', 'src/load', SOURCES);
    this.#child = spawn(...pinned(1, program, [protocol, '127.0.0.1', String(port), String(serverPid)]), {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    // What it did not take any more is told by its silence.
    this.#child.stdin.on('error', () => {});
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** Resolves when all of them are ready: welcomed, and subscribed if that is their role. */
  async open(group: number, { counted = true, ...options }: GroupOptions): Promise<Opened> {
    const answer = await this.#ask('open', { group, counted: Number(counted), ...options });
    if (answer.ready !== options.count) throw new Error(`${answer.ready} of ${options.count} connections were ready in time`);
    this.#counts.set(group, options.count);
    return answer as Answer & Opened;
  }

  /** Lets a group of publishers or callers send from now on. */
  async send(group: number, { ack = false, ...options }: SendOptions): Promise<void> {
    await this.#ask('send', { group, ack: Number(ack), ...options });
  }

  async wait(ms: number): Promise<void> {
    await this.#ask('wait', { ms: Math.round(ms) });
  }

  /** Counts from now on. */
  async begin(): Promise<void> {
    await this.#ask('begin');
  }

  /** What was counted since `begin`. */
  async end(): Promise<Counted> {
    return (await this.#ask('end')) as Answer & Counted;
  }

  /** Sends nothing more; resolves when nothing is under way, with the ms that took. */
  stop(): Promise<number> {
    return this.#settled('stop');
  }

  /** Resolves when everybody has sent up to the limit and nothing is under way, with the ms that took. */
  finish(): Promise<number> {
    return this.#settled('finish');
  }

  async #settled(command: 'stop' | 'finish'): Promise<number> {
    const answer = await this.#ask(command);
    if (answer.isSettled !== true) throw new Error('messages were lost: they were still under way a minute after the last was sent');
    return answer.ms;
  }

  /** Resolves when every member has all that was sent on its topic, with the ms that took. */
  async complete(group: number): Promise<number> {
    const answer = await this.#ask('await', { group });
    const count = this.#counts.get(group) ?? 0;
    if (answer.complete !== count)
      throw new Error(`messages were lost: ${answer.complete} of ${count} connections had all of them after a minute`);
    return answer.ms;
  }

  /** A paused connection reads nothing. */
  async pause(group: number, isPaused: boolean): Promise<void> {
    await this.#ask(isPaused ? 'pause' : 'unpause', { group });
  }

  /** Resets all sockets of a group of subscribers, without a goodbye. They keep what they know: position, session, what they have. */
  async drop(group: number): Promise<void> {
    await this.#ask('drop', { group });
  }

  /**
   * Lets a dropped group come back, by the rule of the product's own client, or at first all at once. Resolves when all have
   * what one publisher of each topic sent since the drop (64 messages at the most), or cannot get it, or after `ms`.
   */
  async comeBack(group: number, isAtOnce: boolean, ms: number): Promise<Returned> {
    return (await this.#ask('return', { group, at_once: Number(isAtOnce), ms })) as Answer & Returned;
  }

  async close(group: number): Promise<void> {
    await this.#ask('close', { group });
  }

  /** Ends the process and with it all connections. */
  async kill(): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }

  async #ask(command: string, options: Readonly<Record<string, string | number | undefined>> = {}): Promise<Answer> {
    const words = Object.entries(options).flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${value}`]));
    this.#child.stdin.write(`${[command, ...words].join(' ')}\n`);
    const line = await this.#lines.next();
    if (line.done === true) throw new Error(`the load generator ended at "${command}"`);
    const answer = JSON.parse(line.value) as Answer;
    if (answer.errors > 0) throw new Error(`${answer.errors} times something was wrong, first: ${answer.firstError}`);
    if (answer.refused !== undefined) throw new Error(`${command}: ${answer.refused}`);
    return answer;
  }
}
