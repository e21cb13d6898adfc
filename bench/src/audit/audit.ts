/**
 * Carries the script out on one contender: its server, its clients in processes of their own, a link for each, and what
 * publishes. This process is the links and the clock. Nothing here knows what a contender's protocol looks like.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { until } from '../connection/moment.ts';
import type { AuditServer, Contender, Publisher } from './contender.ts';
import { FollowerGroup, type GroupState } from './follower-group.ts';
import { Link } from './link.ts';
import { scriptOf, type AuditPlan, type AuditScript } from './script.ts';
import { keepTimetable } from './timetable.ts';
import { rowOf, type AuditRow } from './verdict.ts';

export interface AuditOptions {
  readonly plan: AuditPlan;
  readonly report: (line: string) => void;
  /** Ends it before its time. */
  readonly signal: AbortSignal;
}

const GROUP_CLIENTS_MAX = 500;
/** All clients connect for the first time, ms. */
const CONNECT_PATIENCE_MS = 60_000;
/** A server that was told to end is killed after so long, ms. */
const DRAIN_PATIENCE_MS = 20_000;
const PROGRESS_MS = 10_000;

/** Rejects if it cannot be carried out; whatever it started has ended by then. */
export async function auditContender(contender: Contender, options: AuditOptions): Promise<AuditRow> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-audit-'));
  const stage = new Stage(contender, options, folder);
  try {
    return await stage.run();
  } finally {
    await stage.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

class Stage {
  readonly #contender: Contender;
  readonly #options: AuditOptions;
  readonly #server: AuditServer;
  readonly #script: AuditScript;
  readonly #links: Link[] = [];
  readonly #groups: FollowerGroup[] = [];
  /** Aborted with what makes it impossible to go on. */
  readonly #failing = new AbortController();
  /** What is done to the server, one after the other. */
  #serverTask: Promise<void> = Promise.resolve();
  #cutCount = 0;
  #publishedCount = 0;
  #drainMs = 0;

  constructor(contender: Contender, options: AuditOptions, folder: string) {
    this.#contender = contender;
    this.#options = options;
    this.#server = contender.serve(folder);
    this.#script = scriptOf(options.plan);
    const { signal } = options;
    signal.addEventListener('abort', () => this.#failing.abort(signal.reason));
  }

  async run(): Promise<AuditRow> {
    this.#options.signal.throwIfAborted();
    this.#watch(this.#server.failed);
    await this.#server.start();
    const publisher = await this.#connect();
    const progress = setInterval(() => this.#tell(), PROGRESS_MS);
    try {
      await keepTimetable(this.#appointments(publisher), this.#failing.signal);
      const endedMs = performance.now();
      await this.#orFail(this.#serverTask);
      const isSettled = await this.#settle(publisher, endedMs);
      const settledMs = Math.round(performance.now() - endedMs);
      const records = await Promise.all(this.#groups.map((group) => group.finish()));
      return rowOf({
        contender: this.#contender,
        records: records.flat(),
        publisher: await publisher.finish(),
        broadcasts: this.#script.broadcastsAtMs.length,
        calmCount: this.#script.calmCount,
        cuts: this.#cutCount,
        drainMs: this.#drainMs,
        isSettled,
        settledMs,
      });
    } finally {
      clearInterval(progress);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#groups.map((group) => group.kill()));
    await this.#serverTask.catch(() => {});
    await this.#server.kill();
    await Promise.all(this.#links.map((link) => link.close()));
  }

  /** Clients first, so that nobody misses the first broadcast. */
  async #connect(): Promise<Publisher> {
    const { clients } = this.#options.plan;
    for (let at = 0; at < clients + 1; at++) this.#links.push(await Link.open(this.#server));
    const ports = this.#links.map(({ port }) => port);
    for (let first = 0; first < clients; first += GROUP_CLIENTS_MAX) {
      const task = { contender: this.#contender.name, first, ports: ports.slice(first, Math.min(clients, first + GROUP_CLIENTS_MAX)) };
      const group = new FollowerGroup(task);
      this.#groups.push(group);
      this.#watch(group.failed);
    }
    const areReady = (): boolean => this.#sum(({ readyCount }) => readyCount) === clients;
    if (!(await this.#orFail(until(areReady, CONNECT_PATIENCE_MS))))
      throw new Error(`only ${this.#sum(({ readyCount }) => readyCount)} of ${clients} clients could connect`);
    return this.#contender.publisher(this.#server, ports[clients]!);
  }

  #appointments(publisher: Publisher): { readonly atMs: number; run(): void }[] {
    const { broadcastsAtMs, cuts, killAtMs, drainAtMs } = this.#script;
    const { durationMs, offlineMs } = this.#options.plan;
    return [
      ...broadcastsAtMs.map((atMs, index) => ({ atMs, run: () => this.#publish(publisher, index + 1) })),
      ...cuts.map(({ atMs, client }) => ({ atMs, run: () => this.#cut(this.#links[client]!, offlineMs) })),
      { atMs: killAtMs, run: () => this.#onServer(() => this.#killServer()) },
      { atMs: drainAtMs, run: () => this.#onServer(() => this.#drainServer()) },
      { atMs: durationMs, run: () => {} },
    ];
  }

  #publish(publisher: Publisher, number: number): void {
    this.#publishedCount = number;
    publisher.publish(number);
  }

  #cut(link: Link, offlineMs: number): void {
    if (link.isInUse) this.#cutCount += 1;
    link.cut(offlineMs);
  }

  async #killServer(): Promise<void> {
    this.#options.report('  kill -9');
    await this.#server.kill();
    await pause(this.#options.plan.killedMs);
    await this.#server.start();
  }

  async #drainServer(): Promise<void> {
    this.#options.report('  SIGTERM');
    const beganMs = performance.now();
    const patience = setTimeout(() => void this.#server.kill(), DRAIN_PATIENCE_MS);
    await this.#server.stop();
    clearTimeout(patience);
    this.#drainMs = Math.round(performance.now() - beganMs);
    await this.#server.start();
  }

  #onServer(task: () => Promise<void>): void {
    this.#serverTask = this.#serverTask.then(task);
    this.#watch(this.#serverTask);
  }

  /** Whether everybody has everything, or was told that it is missing, before the time is over. */
  #settle(publisher: Publisher, endedMs: number): Promise<boolean> {
    const { settleMs } = this.#options.plan;
    const expected = this.#options.plan.clients * this.#script.broadcastsAtMs.length;
    const hasAll = (): boolean => publisher.isSettled && this.#sum(({ accountedCount }) => accountedCount) === expected;
    return this.#orFail(until(hasAll, settleMs - (performance.now() - endedMs)));
  }

  #tell(): void {
    const { plan, report } = this.#options;
    const [open, accounted] = [this.#sum(({ openCount }) => openCount), this.#sum(({ accountedCount }) => accountedCount)];
    const behind = plan.clients * this.#publishedCount - accounted;
    report(
      `  ${this.#publishedCount} of ${this.#script.broadcastsAtMs.length} broadcasts, ${open} of ${plan.clients} connected, ${this.#cutCount} cuts, ${behind} missing`,
    );
  }

  #sum(value: (state: GroupState) => number): number {
    return this.#groups.reduce((total, { state }) => total + value(state), 0);
  }

  #watch(promise: Promise<unknown>): void {
    promise.catch((error: unknown) => this.#failing.abort(error));
  }

  /** The promise, or what makes it impossible to go on, if that comes first. */
  #orFail<T>(promise: Promise<T>): Promise<T> {
    const { signal } = this.#failing;
    return new Promise((resolve, reject) => {
      const abort = (): void => reject(signal.reason as Error);
      if (signal.aborted) return abort();
      signal.addEventListener('abort', abort, { once: true });
      promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
    });
  }
}
