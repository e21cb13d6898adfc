/**
 * The five observers. Each follows every topic from its first entry to its last, and each in its own way: steadily, with a
 * long absence, killed and started again, slowly, or on a link that is cut all the time.
 */

import { join } from 'node:path';
import { webSocketFactory, type SocketFactory } from '@holdfast/client';
import { WebSocket } from 'ws';
import { between, pick } from './chance.ts';
import { CUT_PLACES, Links } from './link.ts';
import { Observer } from './observer.ts';
import { ObserverProcess } from './observer-process.ts';

export interface AudienceOptions {
  readonly url: string;
  readonly folder: string;
  readonly topics: readonly string[];
  readonly random: () => number;
  /** How often the one in a process of its own is killed. */
  readonly killCount: number;
}

export const OBSERVERS = ['steady', 'absent', 'killed', 'slow', 'cut'] as const;

export type ObserverName = (typeof OBSERVERS)[number];

const WINDOW = 256;
const SLOW_WINDOW = 8;
/** 16 entries, then a nap: 160 entries a second. */
const SLOW_NAP_MS = 100;
/** The shares of the play between which one is away. */
const ABSENT_FROM = 1 / 3;
const ABSENT_TO = 2 / 3;
/** Between two cuts of the one that is cut all the time, ms; it comes back sooner than others, to be cut again. */
const CUT_EVERY_MS = [200, 800] as const;
const CUT_BACKOFF = { baseMs: 50, capMs: 200 };
const AWAY_MAX_MS = 1_000;

export class Audience {
  readonly #options: AudienceOptions;
  readonly #links: Links;
  readonly #killed: ObserverProcess;
  readonly #others: Map<ObserverName, Observer> = new Map();
  readonly #killsAt: number[];
  #absence: 'before' | 'during' | 'after' = 'before';
  #absentOffsets: Readonly<Record<string, number>> = {};
  #killCount = 0;
  #cutCount = 0;
  #cutTimer: NodeJS.Timeout | undefined;
  #restart: Promise<void> | undefined;

  constructor(options: AudienceOptions) {
    this.#options = options;
    const { random, killCount } = options;
    this.#links = new Links(random);
    this.#killsAt = Array.from({ length: killCount }, (_, index) => (index + 0.25 + random() / 2) / killCount);
    this.#killed = new ObserverProcess({ ...this.#task('killed'), window: WINDOW, napMs: 0, backoff: {} });
    this.#arrive('steady', direct());
    this.#arrive('absent', direct());
    this.#arrive('slow', direct());
    this.#arrive('cut', this.#links.factory('cut'));
    this.#cutLater();
  }

  /** Rejects when one of them cannot go on. */
  get failed(): Promise<never> {
    return Promise.race([this.#killed.failed, ...[...this.#others.values()].map(({ failed }) => failed)]);
  }

  get killCount(): number {
    return this.#killCount;
  }

  get cutCount(): number {
    return this.#cutCount;
  }

  /** Carries out what is due when this share of the play is over (0 to 1). */
  async pass(share: number): Promise<void> {
    if (this.#absence === 'before' && share >= ABSENT_FROM) await this.#leave();
    if (this.#absence === 'during' && share >= ABSENT_TO) this.#return();
    if (this.#killsAt.length === 0 || this.#killsAt[0]! > share || this.#restart !== undefined) return;
    this.#killsAt.shift();
    this.#restart = this.#killAndRestart().finally(() => (this.#restart = undefined));
    await this.#restart;
  }

  /** The play is over: nobody dawdles or is disturbed any more. */
  async hurry(): Promise<void> {
    clearTimeout(this.#cutTimer);
    this.#cutTimer = undefined;
    await this.#restart;
    if (this.#absence === 'during') this.#return();
    this.#killed.hurry();
    for (const observer of this.#others.values()) observer.hurry();
  }

  /** How many entries an observer has processed. */
  count(name: ObserverName): number {
    return Object.values(this.#offsets(name)).reduce((sum, offset) => sum + offset, 0);
  }

  /** Who has not processed everything up to these offsets, and where, in words. */
  late(heads: ReadonlyMap<string, number>): string[] {
    return OBSERVERS.flatMap((name) => {
      const offsets = this.#offsets(name);
      return [...heads]
        .filter(([topic, head]) => (offsets[topic] ?? 0) < head)
        .map(([topic, head]) => `${name} in ${topic} is at ${offsets[topic] ?? 0} of ${head}`);
    });
  }

  folderOf(name: ObserverName): string {
    return this.#task(name).folder;
  }

  /** Ends all of them; what they saw is in their folders. */
  async close(): Promise<void> {
    clearTimeout(this.#cutTimer);
    await this.#restart;
    await Promise.all([this.#killed.close(), ...[...this.#others.values()].map((observer) => observer.close())]);
  }

  /** Without any order, when the run has failed. */
  async kill(): Promise<void> {
    clearTimeout(this.#cutTimer);
    await this.#restart;
    await this.#killed.kill();
    await Promise.all([...this.#others.values()].map((observer) => observer.close()));
  }

  #offsets(name: ObserverName): Readonly<Record<string, number>> {
    if (name === 'killed') return this.#killed.offsets();
    return this.#others.get(name)?.offsets() ?? this.#absentOffsets;
  }

  #arrive(name: ObserverName, socket: SocketFactory): void {
    const pace = name === 'slow' ? { window: SLOW_WINDOW, napMs: SLOW_NAP_MS } : { window: WINDOW, napMs: 0 };
    this.#others.set(name, new Observer({ ...this.#task(name), ...pace, backoff: name === 'cut' ? CUT_BACKOFF : {}, socket }));
  }

  async #leave(): Promise<void> {
    this.#absence = 'during';
    const observer = this.#others.get('absent')!;
    await observer.close();
    this.#absentOffsets = observer.offsets();
    this.#others.delete('absent');
  }

  #return(): void {
    this.#absence = 'after';
    this.#arrive('absent', direct());
  }

  async #killAndRestart(): Promise<void> {
    await this.#killed.kill();
    this.#killCount += 1;
    const awayMs = between(this.#options.random, 0, AWAY_MAX_MS);
    await new Promise((resolve) => setTimeout(resolve, awayMs));
    this.#killed.start();
  }

  #cutLater(): void {
    const { random } = this.#options;
    this.#cutTimer = setTimeout(
      () => {
        this.#links.cutOne(
          () => true,
          pick(random, CUT_PLACES),
          () => (this.#cutCount += 1),
        );
        this.#cutLater();
      },
      between(random, ...CUT_EVERY_MS),
    );
  }

  #task(name: ObserverName): { readonly name: string; readonly url: string; readonly folder: string; readonly topics: readonly string[] } {
    const { url, folder, topics } = this.#options;
    return { name: `observer-${name}`, url, folder: join(folder, `observer-${name}`), topics };
  }
}

function direct(): SocketFactory {
  return webSocketFactory(WebSocket);
}
