/** Brings the calamities of a profile over a run, and ends them: what is broken at the end of a storm mends by itself. */

import type { Calamity } from './calamities.ts';
import type { Device } from './device.ts';
import { COMMIT_STAGES, type Backup, type Disk } from './disk.ts';
import type { Ledger } from './ledger.ts';
import type { Network } from './network.ts';
import type { Process } from './process.ts';
import type { Profile, Strike } from './profile.ts';
import type { Chance } from './random.ts';
import type { Right, RightsBook } from './rights-book.ts';
import type { Server } from './server.ts';
import { Stranger } from './stranger.ts';
import type { Tally } from './tally.ts';
import type { Timeline } from './timeline.ts';
import type { Trace } from './trace.ts';

export interface WeatherOptions {
  readonly profile: Profile;
  readonly timeline: Timeline;
  readonly chance: Chance;
  readonly trace: Trace;
  readonly tally: Tally;
  readonly network: Network;
  readonly disk: Disk;
  readonly server: Server;
  readonly devices: readonly Device[];
  readonly topics: readonly string[];
  readonly ledger: Ledger;
  readonly rights: RightsBook;
}

/** How many copies of the disk are kept. */
const BACKUPS_MAX = 16;

export class Weather {
  readonly #options: WeatherOptions;
  /** What puts things right again, of what is still wrong. */
  readonly #mendings = new Set<() => void>();
  readonly #backups: Backup[] = [];
  #cloneCount = 0;
  #isClear = false;
  /** Of the present strike: it draws for itself, so that others can be left out. */
  #chance: Chance;
  #strike!: Strike;

  constructor(options: WeatherOptions) {
    this.#options = options;
    this.#chance = options.chance;
  }

  strike(strike: Strike): void {
    const { trace, tally, chance } = this.#options;
    trace.line('weather', `${strike.number} ${strike.kind} ${JSON.stringify(strike.settings)}`);
    tally.count(strike.kind);
    this.#isClear = false;
    this.#chance = chance.fork(`strike ${strike.number}`);
    this.#strike = strike;
    this.#strikes[strike.kind]();
  }

  /** Keeps a copy of the disk, for a restoration later. */
  backUp(): void {
    this.#backups.push(this.#options.disk.backup());
    if (this.#backups.length > BACKUPS_MAX) this.#backups.shift();
  }

  /** Ends everything that is still wrong. */
  clear(): void {
    this.#options.trace.line('weather', 'clears');
    this.#isClear = true;
    for (const mend of this.#mendings) mend();
    this.#mendings.clear();
  }

  readonly #strikes: Readonly<Record<Calamity, () => void>> = {
    cut: () => this.#cut(true),
    'half-open': () => this.#cut(false),
    outage: () => this.#outage(),
    'slow-link': () => this.#slowLink(),
    'delayed-close': () => this.#change(this.#options.network.closing, { delayMs: this.#setting('delayMs') }, { delayMs: 0 }),
    'reset-close': () => this.#change(this.#options.network.closing, { isReset: true }, { isReset: false }),
    'server-killed': () => this.#killServer(false),
    'server-without-power': () => this.#killServer(true),
    'killed-at-commit': () => this.#killAtCommit(),
    'killed-at-await': () => this.#killAtAwait(),
    'server-frozen': () => this.#freeze(this.#options.server.process),
    deploy: () => this.#deploy(),
    'commit-failed': () => this.#change(this.#options.disk.health, { commitFailures: this.#share() }, { commitFailures: 0 }),
    'commit-answer-lost': () => this.#change(this.#options.disk.health, { lostAnswers: this.#share() }, { lostAnswers: 0 }),
    'slow-disk': () => this.#slowDisk(),
    'reading-failed': () => this.#change(this.#options.disk.health, { otherFailures: this.#share() }, { otherFailures: 0 }),
    'disk-wiped': () => this.#replaceDisk(() => this.#options.disk.wipe()),
    'restored-from-backup': () => this.#restore(),
    'topic-deleted': () => this.#options.server.delete(this.#chance.pick(this.#options.topics)),
    // What the topics keep is the same for all of the run (`profile.ts`).
    'history-cut': () => {},
    'device-killed': () => this.#killDevice(this.#chance.pick(this.#options.devices), this.#chance.is(0.3)),
    'page-reload': () => this.#reload(),
    'tab-death': () => this.#killDevice(this.#chance.pick(this.#options.devices), false),
    'cloned-store': () => void this.#clone(),
    'device-frozen': () => this.#freeze(this.#chance.pick(this.#options.devices).process),
    'outbox-trouble': () =>
      this.#change(this.#chance.pick(this.#options.devices).outbox.health, { failures: this.#share() }, { failures: 0 }),
    'slow-reader': () => this.#slowReader(),
    'withheld-credit': () => this.#stranger(),
    'clock-jump': () => this.#clockJump(),
    'token-expiry': () => this.#expire(),
    'credentials-revoked': () => this.#options.server.revoke(this.#chance.pick(this.#options.devices).subject),
    'membership-revoked': () => this.#revoke(this.#chance.pick([['subscribe'], ['publish'], ['subscribe', 'publish']] as const)),
    'members-hidden': () => this.#revoke(['members']),
    'rights-asked-again': () => this.#options.server.recheck(),
  };

  #setting(name: string): number {
    return this.#strike.settings[name]!;
  }

  /** `percent` as a share. */
  #share(): number {
    return this.#setting('percent') / 100;
  }

  /** `mend` runs after a while, or when the weather clears. */
  #forAWhile(mend: () => void, { lastsMs }: Strike = this.#strike, chance: Chance = this.#chance): void {
    // What comes to its end after the storm has nothing to wait for.
    if (this.#isClear) return mend();
    const once = (): void => {
      if (this.#mendings.delete(once)) mend();
    };
    this.#mendings.add(once);
    const { timeline, profile } = this.#options;
    timeline.after(chance.exponential(lastsMs ?? profile.lastsMs), once);
  }

  #change<T extends object>(what: T, worse: Partial<T>, better: Partial<T>): void {
    Object.assign(what, worse);
    this.#forAWhile(() => Object.assign(what, better));
  }

  #cut(isLearnt: boolean): void {
    const { network, trace, profile } = this.#options;
    const chance = this.#chance;
    const { links } = network;
    if (links.length === 0) return;
    const link = chance.pick(links);
    const learns = (): number | undefined => (isLearnt || chance.is(0.3) ? chance.exponential(profile.latencyMs * 10) : undefined);
    trace.line('net', `${link.name} is cut`);
    link.cut(learns(), learns());
  }

  /** A device has no way to the server; its connections are cut, and new ones fail one way or the other. */
  #outage(): void {
    const { devices, network } = this.#options;
    const { route, process } = this.#chance.pick(devices);
    route.connects = this.#chance.pick(['refused', 'swallowed']);
    const learnsMs = this.#chance.is(0.5) ? 0 : undefined;
    for (const link of network.links) if (link.client === process) link.cut(learnsMs, undefined);
    this.#forAWhile(() => (route.connects = 'accepted'));
  }

  #slowLink(): void {
    const { route } = this.#chance.pick(this.#options.devices);
    const { quality } = route;
    route.quality = { ...quality, bytesPerMs: this.#setting('bytesPerMs') };
    this.#forAWhile(() => (route.quality = { ...quality, bytesPerMs: Infinity }));
  }

  #killServer(isSilent: boolean): void {
    const { server } = this.#options;
    if (server.process === undefined) return;
    server.kill(isSilent);
    this.#forAWhile(() => this.#startServer());
  }

  #killAtCommit(): void {
    const { disk, server } = this.#options;
    disk.atNextCommit(this.#chance.pick(COMMIT_STAGES), () => server.kill(false));
    this.#forAWhile(() => {
      disk.atNextCommit(undefined, () => {});
      this.#startServer();
    });
  }

  #killAtAwait(): void {
    const { timeline, server } = this.#options;
    let isOver = false;
    timeline.afterEvents(Math.round(this.#setting('events')), () => {
      if (!isOver) server.kill(false);
    });
    this.#forAWhile(() => {
      isOver = true;
      this.#startServer();
    });
  }

  /** Unless it runs, or another calamity will start it. */
  #startServer(): void {
    const { server } = this.#options;
    if (server.process === undefined) server.start();
  }

  #deploy(): void {
    const { server } = this.#options;
    if (!server.isUp) return;
    const drainMs = this.#chance.is(0.5) ? 0 : this.#setting('drainMs');
    const [strike, chance] = [this.#strike, this.#chance];
    void server.close(drainMs).then(() => this.#forAWhile(() => this.#startServer(), strike, chance));
  }

  #slowDisk(): void {
    const { disk, profile } = this.#options;
    this.#change(disk.health, { meanMs: profile.diskMs * this.#setting('factor') }, { meanMs: profile.diskMs });
  }

  #replaceDisk(replace: () => void): void {
    const { server } = this.#options;
    if (server.process === undefined) return;
    server.kill(false);
    replace();
    this.#forAWhile(() => this.#startServer());
  }

  /** The newest copy that is old enough, or the oldest. */
  #restore(): void {
    const { disk, timeline } = this.#options;
    const untilMs = timeline.nowMs - this.#setting('ageMs');
    const backup = this.#backups.findLast(({ takenAtMs }) => takenAtMs <= untilMs) ?? this.#backups[0];
    if (backup !== undefined) this.#replaceDisk(() => disk.restore(backup));
  }

  #killDevice(device: Device, isSilent: boolean): void {
    if (device.process === undefined) return;
    device.kill(isSilent);
    this.#forAWhile(() => device.process ?? device.start());
  }

  #reload(): void {
    const device = this.#chance.pick(this.#options.devices);
    if (device.process === undefined) return;
    device.kill(false);
    device.start();
  }

  /** The copy acts for a while; then it is thrown away, with all that only it had. */
  async #clone(): Promise<void> {
    const { devices, ledger, timeline, profile } = this.#options;
    const [strike, chance] = [this.#strike, this.#chance];
    const original = chance.pick(devices);
    const name = `clone${++this.#cloneCount}`;
    const subject = chance.is(0.7) ? original.subject : chance.pick(devices).subject;
    const clone = await original.clone(name, subject);
    let isOver = false;
    const end = (): void => {
      isOver = true;
      clone.kill(false);
      ledger.abandoned(name);
    };
    this.#forAWhile(end, strike, chance);
    const act = (): void => {
      if (isOver) return;
      clone.act();
      timeline.after(chance.exponential(profile.paceMs), act);
    };
    act();
  }

  #freeze(process: Process | undefined): void {
    if (process === undefined) return;
    process.freeze();
    this.#forAWhile(() => process.thaw());
  }

  #slowReader(): void {
    const { consumers } = this.#chance.pick(this.#options.devices);
    if (consumers.length === 0) return;
    const consumer = this.#chance.pick(consumers);
    consumer.slowMs = this.#setting('itemMs');
    this.#forAWhile(() => (consumer.slowMs = undefined));
  }

  #stranger(): void {
    const { topics, timeline, trace, network } = this.#options;
    const name = `stranger${this.#strike.number}`;
    const stranger = new Stranger({ name, topics, credit: this.#setting('entries'), timeline, chance: this.#chance, trace, network });
    this.#forAWhile(() => stranger.end());
  }

  #clockJump(): void {
    const { devices, server } = this.#options;
    const { wallClock } = this.#chance.is(0.5) ? server : this.#chance.pick(devices);
    wallClock.skewMs += this.#chance.is(0.5) ? this.#setting('jumpMs') : -this.#setting('jumpMs');
  }

  /** From now on credentials are short; whoever shows them anew, or connects, has such. */
  #expire(): void {
    const { server, devices } = this.#options;
    server.tokenValidMs = this.#setting('validMs');
    for (const device of devices) if (this.#chance.is(0.5)) device.authenticate();
    this.#forAWhile(() => (server.tokenValidMs = undefined));
  }

  #revoke(taken: readonly Right[]): void {
    const { rights, server, devices, topics, ledger, trace } = this.#options;
    const chance = this.#chance;
    const { subject } = chance.pick(devices);
    const topic = chance.pick(topics);
    const isAtATime = chance.is(0.3);
    const untilMs = isAtATime ? server.nowMs + chance.logarithmic(1, 10_000) : undefined;
    trace.line('weather', `${subject} loses ${taken.join(' and ')} of ${topic}${isAtATime ? ` at ${untilMs}` : ''}`);
    for (const right of taken) rights.take(right, subject, topic, untilMs);
    // Who is not told finds out at the next page.
    if (chance.is(0.8)) server.recheck(subject);
    const hasFloor = chance.is(0.5) && taken.includes('subscribe');
    this.#forAWhile(() => {
      const floor = hasFloor ? chance.integer(1, 1 + (ledger.current(topic)?.contents.length ?? 0)) : 1;
      trace.line('weather', `${subject} has ${taken.join(' and ')} of ${topic} again, from ${floor} on`);
      for (const right of taken) rights.give(right, subject, topic, floor);
      server.recheck(subject);
      for (const device of devices) if (device.subject === subject) device.authenticate();
    });
  }
}
