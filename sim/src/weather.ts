/** Brings the calamities of a profile over a run, and ends them: what is broken at the end of a run mends by itself. */

import type { Device } from './device.ts';
import type { Disk } from './disk.ts';
import type { Network } from './network.ts';
import type { Process } from './process.ts';
import type { Calamity, Profile } from './profile.ts';
import type { Chance } from './random.ts';
import type { Server } from './server.ts';
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
}

export class Weather {
  readonly #options: WeatherOptions;
  /** What puts things right again, of what is still wrong. */
  readonly #mendings = new Set<() => void>();

  constructor(options: WeatherOptions) {
    this.#options = options;
  }

  strike(kind: Calamity): void {
    this.#options.trace.line('weather', kind);
    this.#options.tally.count(kind);
    this.#strikes[kind]();
  }

  /** Ends everything that is still wrong. */
  clear(): void {
    this.#options.trace.line('weather', 'clears');
    for (const mend of this.#mendings) mend();
    this.#mendings.clear();
  }

  readonly #strikes: Readonly<Record<Calamity, () => void>> = {
    cut: () => this.#cut(true),
    'half-open': () => this.#cut(false),
    outage: () => this.#outage(),
    'slow link': () => this.#slowLink(),
    'server killed': () => this.#killServer(false),
    'server without power': () => this.#killServer(true),
    deploy: () => this.#deploy(),
    'device killed': () => this.#killDevice(),
    'device frozen': () => this.#freeze(this.#options.chance.pick(this.#options.devices).process),
    'server frozen': () => this.#freeze(this.#options.server.process),
    'disk trouble': () => this.#diskTrouble(),
    'outbox trouble': () => this.#outboxTrouble(),
    'clock jump': () => this.#clockJump(),
    'disk wiped': () => this.#wipe(),
    'topic deleted': () => this.#options.server.delete(this.#options.chance.pick(this.#options.topics)),
    'rights asked again': () => this.#options.server.recheck(),
  };

  /** `mend` runs after a while, or when the weather clears. */
  #forAWhile(mend: () => void): void {
    const once = (): void => {
      if (this.#mendings.delete(once)) mend();
    };
    this.#mendings.add(once);
    const { timeline, chance, profile } = this.#options;
    timeline.after(chance.exponential(profile.lastsMs), once);
  }

  #cut(isLearnt: boolean): void {
    const { network, chance, trace, profile } = this.#options;
    const { links } = network;
    if (links.length === 0) return;
    const link = chance.pick(links);
    const learns = (): number | undefined => (isLearnt || chance.is(0.3) ? chance.exponential(profile.latencyMs * 10) : undefined);
    trace.line('net', `${link.name} is cut`);
    link.cut(learns(), learns());
  }

  /** A device has no way to the server; its connections are cut, and new ones fail one way or the other. */
  #outage(): void {
    const { chance, devices, network } = this.#options;
    const { route, process } = chance.pick(devices);
    route.connects = chance.pick(['refused', 'swallowed']);
    const learnsMs = chance.is(0.5) ? 0 : undefined;
    for (const link of network.links) if (link.client === process) link.cut(learnsMs, undefined);
    this.#forAWhile(() => (route.connects = 'accepted'));
  }

  #slowLink(): void {
    const { chance, devices } = this.#options;
    const { route } = chance.pick(devices);
    const { quality } = route;
    route.quality = { ...quality, bytesPerMs: chance.logarithmic(0.2, 20) };
    this.#forAWhile(() => (route.quality = { ...quality, bytesPerMs: Infinity }));
  }

  #killServer(isSilent: boolean): void {
    const { server } = this.#options;
    if (server.process === undefined) return;
    server.kill(isSilent);
    this.#forAWhile(() => server.start());
  }

  #deploy(): void {
    const { server, chance } = this.#options;
    if (!server.isUp) return;
    const drainMs = chance.is(0.5) ? 0 : chance.exponential(this.#options.profile.lastsMs);
    void server.close(drainMs).then(() => this.#forAWhile(() => server.start()));
  }

  #killDevice(): void {
    const { chance, devices } = this.#options;
    const device = chance.pick(devices);
    if (device.process === undefined) return;
    device.kill(chance.is(0.3));
    this.#forAWhile(() => device.start());
  }

  #freeze(process: Process | undefined): void {
    if (process === undefined) return;
    process.freeze();
    this.#forAWhile(() => process.thaw());
  }

  #diskTrouble(): void {
    const { health } = this.#options.disk;
    const { chance, profile } = this.#options;
    health.commitFailures = chance.pick([0.05, 0.3, 1]);
    health.otherFailures = chance.pick([0, 0.1, 0.5]);
    health.meanMs = chance.is(0.5) ? profile.diskMs : profile.diskMs * 10;
    this.#forAWhile(() => Object.assign(health, { meanMs: profile.diskMs, commitFailures: 0, otherFailures: 0 }));
  }

  #outboxTrouble(): void {
    const { chance, devices, profile } = this.#options;
    const { health } = chance.pick(devices).outbox;
    health.failures = chance.pick([0.1, 0.5, 1]);
    this.#forAWhile(() => Object.assign(health, { meanMs: profile.outboxMs, failures: 0 }));
  }

  #clockJump(): void {
    const { chance, devices, server } = this.#options;
    const { wallClock } = chance.is(0.5) ? server : chance.pick(devices);
    wallClock.skewMs += chance.is(0.5) ? chance.logarithmic(10, 7_200_000) : -chance.logarithmic(10, 7_200_000);
  }

  /** The server comes back on an empty disk: what a restart of a memory store means. */
  #wipe(): void {
    const { server, disk } = this.#options;
    if (server.process === undefined) return;
    server.kill(false);
    disk.wipe();
    this.#forAWhile(() => server.start());
  }
}
