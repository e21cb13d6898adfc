/**
 * Replays IRC logs through a server under bad weather, and holds what comes out against the files, line by line. The server
 * is `holdfast serve` in a process of its own; nothing here knows more of it than any client does.
 */

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@holdfast/client';
import { WebSocket } from 'ws';
import { Audience, OBSERVERS, type ObserverName } from './audience.ts';
import { Cast } from './cast.ts';
import { seededRandom } from './chance.ts';
import { logFilesIn, type LineKind, type LogFile } from './irc-log.ts';
import { Ledger } from './ledger.ts';
import { Links, type CutPlace } from './link.ts';
import type { Tally } from './participant.ts';
import { Play } from './play.ts';
import { Served } from './served.ts';
import { checkObserver, checkServer, checkStore } from './verdict.ts';
import { Weather } from './weather.ts';

export interface ReplayOptions {
  /** The folder of the logs. */
  readonly folder: string;
  readonly filesMax: number;
  /** Unanswered publishes over all. */
  readonly inFlight: number;
  readonly cutCount: number;
  /** Deaths of the server. Not with `isMemory`: nothing would be left. */
  readonly killCount: number;
  readonly seed: number;
  readonly isMemory: boolean;
  /** Gets a line every second. */
  readonly progress: (line: string) => void;
  /** Ends it before its time. */
  readonly signal?: AbortSignal;
}

export interface ReplayResult {
  readonly fileCount: number;
  readonly lineCounts: Readonly<Record<LineKind, number>>;
  readonly publishedCount: number;
  readonly nickCount: number;
  readonly nickCountMax: number;
  readonly tally: Readonly<Tally>;
  readonly cuts: Readonly<Record<CutPlace, number>>;
  readonly killCount: number;
  readonly observerCuts: number;
  readonly observerKills: number;
  /** Entries that each observer recorded. */
  readonly observed: Readonly<Record<ObserverName, number>>;
  /** From the first line to the last acknowledgement, ms. */
  readonly playMs: number;
  readonly totalMs: number;
  readonly rssBytesMax: number;
  readonly ledger: Ledger;
  /** Where everything is kept if something was wrong. */
  readonly kept: string | undefined;
}

const TICK_MS = 20;
const PROGRESS_MS = 1_000;
/** Nothing moved for so long: it never will, ms. */
const STALLED_MS = 60_000;

/** Runs to the end and judges. Rejects if it cannot run at all: no files, no server. */
export async function replay(options: ReplayOptions): Promise<ReplayResult> {
  const files = logFilesIn(options.folder, options.filesMax);
  if (files.length === 0) throw new Error(`there are no *.txt files in ${options.folder}`);
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-replay-'));
  const stage = new Stage(options, files, folder);
  try {
    const result = await stage.run();
    if (result.kept === undefined) rmSync(folder, { recursive: true, force: true });
    return result;
  } catch (error) {
    await stage.abandon();
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

class Stage {
  readonly #options: ReplayOptions;
  readonly #files: readonly LogFile[];
  readonly #folder: string;
  readonly #ledger = new Ledger();
  readonly #served: Served;
  readonly #startedAtMs = performance.now();
  #rssBytesMax = 0;
  #audience: Audience | undefined;
  #cast: Cast | undefined;
  #play: Play | undefined;

  constructor(options: ReplayOptions, files: readonly LogFile[], folder: string) {
    this.#options = options;
    this.#files = files;
    this.#folder = folder;
    this.#served = new Served({ data: options.isMemory ? undefined : join(folder, 'data') });
  }

  async run(): Promise<ReplayResult> {
    const { seed, inFlight, cutCount, killCount } = this.#options;
    this.#options.signal?.throwIfAborted();
    await this.#served.start();
    this.#options.signal?.throwIfAborted();
    const { url } = this.#served;
    const links = new Links(seededRandom(seed + 1));
    const cast = new Cast({ url, links, ledger: this.#ledger });
    this.#cast = cast;
    for (const file of this.#files) cast.expect(file);
    const topics = this.#files.map(({ topic }) => topic);
    const audience = new Audience({
      url,
      folder: this.#folder,
      topics,
      random: seededRandom(seed + 2),
      killCount: killCount === 0 ? 0 : killCount + 1,
    });
    this.#audience = audience;
    const weather = new Weather({
      random: seededRandom(seed),
      links,
      served: this.#served,
      cutCount,
      killCount,
      isBusy: (nick) => cast.isBusy(nick),
    });
    const play = new Play(this.#files, cast, inFlight);
    this.#play = play;
    const playStartedAtMs = performance.now();
    await this.#while(play.run(), { play, weather, audience, cast });
    const playMs = performance.now() - playStartedAtMs;
    const observed = await this.#judge(audience, cast);
    return {
      fileCount: this.#files.length,
      lineCounts: play.counts,
      publishedCount: play.answered,
      nickCount: cast.count,
      nickCountMax: cast.countMax,
      tally: cast.tally,
      cuts: weather.cuts,
      killCount: weather.killCount,
      observerCuts: audience.cutCount,
      observerKills: audience.killCount,
      observed,
      playMs,
      totalMs: performance.now() - this.#startedAtMs,
      rssBytesMax: this.#rssBytesMax,
      ledger: this.#ledger,
      kept: this.#ledger.total === 0 ? undefined : this.#folder,
    };
  }

  /** After a failure: ends every process that was started. */
  async abandon(): Promise<void> {
    this.#play?.stop();
    await this.#served.abandon();
    await this.#audience?.kill();
    await this.#cast?.close();
  }

  /** Lets weather and audience go on until the play is over. */
  async #while(
    played: Promise<void>,
    { play, weather, audience, cast }: { play: Play; weather: Weather; audience: Audience; cast: Cast },
  ): Promise<void> {
    const expected = cast.expectedCount;
    let moved = { atMs: performance.now(), answered: 0 };
    let ticking: NodeJS.Timeout | undefined;
    const progressing = setInterval(() => this.#options.progress(this.#progressLine(play, weather, audience, cast)), PROGRESS_MS);
    const trouble = new Promise<never>((_resolve, reject) => {
      this.#options.signal?.addEventListener('abort', () => reject(this.#options.signal?.reason as Error));
      this.#served.failed.catch(reject);
      audience.failed.catch(reject);
      ticking = setInterval(() => {
        const share = play.answered / Math.max(1, expected);
        weather.pass(share).catch(reject);
        audience.pass(share).catch(reject);
        this.#rssBytesMax = Math.max(this.#rssBytesMax, process.memoryUsage.rss());
        if (play.answered > moved.answered) moved = { atMs: performance.now(), answered: play.answered };
        else if (performance.now() - moved.atMs > STALLED_MS)
          reject(
            new Error(
              `nothing was acknowledged for ${STALLED_MS / 1_000} s; ${play.inFlight} publishes are unanswered, of ${cast.busyNicks.slice(0, 5).join(', ')}`,
            ),
          );
      }, TICK_MS);
    });
    try {
      await Promise.race([played, trouble]);
      await weather.pass(1);
    } finally {
      clearInterval(ticking);
      clearInterval(progressing);
    }
  }

  /** Waits for the observers, ends the processes, and compares. Resolves with how much each observer saw. */
  async #judge(audience: Audience, cast: Cast): Promise<Record<ObserverName, number>> {
    const { isMemory } = this.#options;
    const ledger = this.#ledger;
    const client = createClient({ url: this.#served.url, token: 'judge', WebSocket });
    await audience.hurry();
    const heads = new Map<string, number>();
    for (const { topic } of this.#files) heads.set(topic, (await client.topic(topic).read({ after: 0, limit: 1 })).last);
    await this.#arrival(audience, heads);
    await audience.close();
    await cast.close();
    const [server, store] = [this.#recordFolder('server'), this.#recordFolder('store')];
    await checkServer(client, this.#files, server, ledger);
    await client.close();
    const exitCode = await this.#served.stop();
    if (exitCode !== 0) ledger.report('store', `the server ended with exit code ${exitCode} when it was told to stop`);
    if (!isMemory) await checkStore(join(this.#folder, 'data'), this.#files, server, store, ledger);
    const observed = {} as Record<ObserverName, number>;
    for (const name of OBSERVERS) observed[name] = await checkObserver(name, audience.folderOf(name), server, this.#files, ledger);
    return observed;
  }

  async #arrival(audience: Audience, heads: ReadonlyMap<string, number>): Promise<void> {
    let [missing, movedAtMs] = [Number.POSITIVE_INFINITY, performance.now()];
    for (;;) {
      const late = audience.late(heads);
      if (late.length === 0) return;
      const left = OBSERVERS.reduce((sum, name) => sum - audience.count(name), 0);
      if (left < missing) [missing, movedAtMs] = [left, performance.now()];
      if (performance.now() - movedAtMs > STALLED_MS) {
        for (const line of late) this.#ledger.report('observer', line);
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, 2 * TICK_MS));
    }
  }

  #recordFolder(name: string): string {
    const folder = join(this.#folder, name);
    mkdirSync(folder);
    return folder;
  }

  #progressLine(play: Play, weather: Weather, audience: Audience, cast: Cast): string {
    const seconds = Math.round((performance.now() - this.#startedAtMs) / 1_000);
    const { cutCount, killCount } = this.#options;
    return [
      `${seconds} s`,
      `${play.answered}/${cast.expectedCount} acknowledged`,
      `${play.inFlight} in flight`,
      `${cast.connectedCount} nicks`,
      `cuts ${weather.cutCount}/${cutCount}`,
      `kills ${weather.killCount}/${killCount}${this.#served.isUp ? '' : ' (server down)'}`,
      `duplicates ${cast.tally.duplicates}`,
      `observers ${OBSERVERS.map((name) => audience.count(name)).join(' ')}`,
      `faults ${this.#ledger.total}`,
    ].join('  ');
  }
}
