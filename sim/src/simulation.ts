/**
 * One run from one seed: the world is set up; devices act and calamities strike, then the weather clears and everything
 * must come right, round after round until the steps are used up; then all is closed, and nothing may be left.
 */

import { Device } from './device.ts';
import { Disk } from './disk.ts';
import { Ledger } from './ledger.ts';
import { Network } from './network.ts';
import { drawProfile, type Profile } from './profile.ts';
import { Verdict, type Violation } from './properties.ts';
import { Chance } from './random.ts';
import { RightsBook } from './rights-book.ts';
import type { Selection } from './selection.ts';
import { Server } from './server.ts';
import type { Tally } from './tally.ts';
import { Timeline } from './timeline.ts';
import { Trace } from './trace.ts';
import { Weather } from './weather.ts';
import { Wiretap } from './wiretap.ts';

export interface SimulationOptions {
  readonly seed: number;
  /** Actions of all devices together. */
  readonly steps: number;
  /** Which calamities, and how small. Default: whatever the seed draws. */
  readonly selection?: Selection;
  /** Gets counts of what happened. */
  readonly tally: Tally;
  /** Gets every line of the trace. */
  readonly print?: ((line: string) => void) | undefined;
}

export interface Outcome {
  readonly seed: number;
  readonly violation: Violation | undefined;
  /** Calamities that struck: their numbers. */
  readonly strikes: readonly number[];
  readonly deviceCount: number;
  readonly topicCount: number;
  readonly roundCount: number;
  readonly eventCount: number;
  /** Virtual time, ms. */
  readonly lastedMs: number;
  /** Of the whole trace: the same for the same seed, steps and code. */
  readonly digest: string;
}

/** How long it may take until everything is right again, virtual ms: several full backoffs (20 s) and silent heartbeats (75 s). */
const CALM_MAX_MS = 600_000;
const CALM_STEP_MS = 500;
/** A run of the usual length has some thousand events, and never so many: something goes round in a circle. */
const EVENTS_MAX = 500_000;
/** When in a storm the disk is copied. */
const BACKUP_SHARES = [0, 0.25, 0.5, 0.75];
/** How long the end may take, virtual ms: a close without an answer (30 s) and the rest after it (30 s). */
const END_MAX_MS = 120_000;

export async function simulate(options: SimulationOptions): Promise<Outcome> {
  const simulation = new Simulation(options);
  const onRejection = (error: unknown): void => simulation.escaped(error);
  process.on('unhandledRejection', onRejection);
  try {
    return await simulation.run();
  } finally {
    process.off('unhandledRejection', onRejection);
  }
}

class Simulation {
  readonly #options: SimulationOptions;
  readonly #chance: Chance;
  readonly #timeline: Timeline;
  readonly #trace: Trace;
  readonly #verdict: Verdict;
  readonly #profile: Profile;
  readonly #ledger: Ledger;
  readonly #disk: Disk;
  readonly #server: Server;
  readonly #topics: readonly string[];
  readonly #devices: Device[];
  readonly #weather: Weather;
  #stepsLeft = 0;

  constructor(options: SimulationOptions) {
    this.#options = options;
    const { tally } = options;
    const chance = (this.#chance = new Chance(options.seed));
    const timeline = (this.#timeline = new Timeline((error) => this.escaped(error)));
    const trace = (this.#trace = new Trace(timeline, options.print));
    const verdict = (this.#verdict = new Verdict(() => timeline.nowMs));
    const profile = (this.#profile = drawProfile(chance.fork('profile'), options.selection ?? {}, options.steps));
    trace.line('profile', JSON.stringify(profile));
    const rights = new RightsBook();
    const isForgetful = profile.producerSilenceMs < 60_000;
    const ledger = (this.#ledger = new Ledger(verdict, tally, {
      isForgetful,
      isClockSteady: profile.strikes.every(({ kind }) => kind !== 'clock-jump'),
      wasForbidden: (subject, topic) => rights.wasTaken('publish', subject, topic),
    }));
    const network = new Network(timeline, chance.fork('network'), trace);
    const health = { meanMs: profile.diskMs, commitFailures: 0, lostAnswers: 0, otherFailures: 0 };
    const disk = (this.#disk = new Disk({
      timeline,
      chance: chance.fork('disk'),
      trace,
      witness: ledger,
      health,
      outcomesMax: profile.outcomesMax,
    }));
    const world = { profile, timeline, trace, verdict, network, tally, ledger, rights };
    const server = (this.#server = new Server({ ...world, chance: chance.fork('server'), disk }));
    const topics = (this.#topics = Array.from({ length: profile.topicCount }, (_, at) => `topic/${at + 1}`));
    const subjects = ['alice', 'bob', 'carol'];
    const devices: Device[] = (this.#devices = []);
    for (let at = 0; at < profile.deviceCount; at++) {
      const name = `device${at + 1}`;
      const sibling = profile.areTabs && at % 2 === 1 ? devices[at - 1] : undefined;
      const subject = sibling?.subject ?? subjects[at % 3]!;
      const own = { name, subject, isTab: profile.areTabs, ...(sibling === undefined ? {} : { outbox: sibling.outbox }) };
      devices.push(new Device({ ...world, ...own, subjects, topics, chance: chance.fork(name) }));
    }
    this.#weather = new Weather({ ...world, chance: chance.fork('weather'), disk, server, devices, topics });
    network.tap = new Wiretap({ ledger, verdict, rights, isForgetful, server, timeline, queueBytesMax: profile.queueBytesMax });
  }

  /** Something was thrown or rejected where nobody took it. */
  escaped(error: unknown): void {
    this.#verdict.violated('no-error-escapes', error instanceof Error ? (error.stack ?? String(error)) : String(error));
  }

  async run(): Promise<Outcome> {
    const { roundCount } = this.#profile;
    for (let round = 0; round < roundCount && !this.#isOver; round++) {
      await this.#storm(round);
      await this.#calm();
    }
    if (!this.#isOver) this.#ledger.settled();
    await this.#end();
    const { violation } = this.#verdict;
    if (violation !== undefined) this.#trace.line('VIOLATION', `${violation.property}: ${violation.detail}`);
    const { eventCount, nowMs } = this.#timeline;
    const { deviceCount, topicCount, strikes } = this.#profile;
    const numbers = strikes.map(({ number }) => number);
    const size = { deviceCount, topicCount, roundCount, strikes: numbers };
    return { seed: this.#options.seed, violation, ...size, eventCount, lastedMs: nowMs, digest: this.#trace.digest() };
  }

  get #isOver(): boolean {
    if (this.#timeline.eventCount > EVENTS_MAX) this.#verdict.violated('all-settled', `${EVENTS_MAX} events, and no end`);
    return this.#verdict.violation !== undefined;
  }

  async #storm(round: number): Promise<void> {
    const { paceMs, deviceCount, strikes, roundCount } = this.#profile;
    this.#trace.line('round', `${round + 1} of ${roundCount}`);
    this.#server.isTroubled = true;
    this.#stepsLeft = Math.ceil(this.#options.steps / roundCount);
    const beganAtMs = this.#timeline.nowMs;
    const durationMs = (this.#stepsLeft * paceMs) / deviceCount;
    for (const strike of strikes) {
      const share = strike.at * roundCount - round;
      if (share >= 0 && share < 1) this.#timeline.after(share * durationMs, () => this.#weather.strike(strike));
    }
    if (strikes.some(({ kind }) => kind === 'restored-from-backup')) {
      for (const share of BACKUP_SHARES) this.#timeline.after(share * durationMs, () => this.#weather.backUp());
    }
    for (const device of this.#devices) this.#actLater(device, this.#chance.fork(`acts of ${device.name} in ${round}`));
    // A run whose devices are all dead or frozen uses up its steps all the same.
    await this.#timeline.run(Infinity, () => this.#isOver || (this.#stepsLeft === 0 && this.#timeline.nowMs >= beganAtMs + durationMs));
  }

  #actLater(device: Device, chance: Chance): void {
    this.#timeline.after(chance.exponential(this.#profile.paceMs), () => {
      if (this.#stepsLeft === 0) return;
      this.#stepsLeft -= 1;
      device.act();
      this.#actLater(device, chance);
    });
  }

  /** Faults have stopped: within a bounded time everything is settled and seen. */
  async #calm(): Promise<void> {
    if (this.#isOver) return;
    const beganAtMs = this.#timeline.nowMs;
    this.#server.isTroubled = false;
    this.#weather.clear();
    let isDone = false;
    while (!isDone && !this.#isOver && this.#timeline.nowMs < beganAtMs + CALM_MAX_MS) {
      await this.#timeline.run(this.#timeline.nowMs + CALM_STEP_MS, () => this.#isOver);
      for (const device of this.#devices) {
        device.revive();
        if (device.process !== undefined) device.joinAll();
      }
      isDone = this.#devices.every((device) => device.isDone && device.late === undefined) && this.#disagreement === undefined;
    }
    for (const device of this.#devices) {
      this.#verdict.expect(device.isDone, 'all-settled', () => `${CALM_MAX_MS} ms after the faults stopped ${device.unfinished}`);
      this.#verdict.expect(
        device.late === undefined,
        'all-arrived',
        () => `${CALM_MAX_MS} ms after the faults stopped ${device.late?.place}`,
      );
    }
    this.#verdict.expect(
      this.#disagreement === undefined,
      'members-agree',
      () => `${CALM_MAX_MS} ms after the faults stopped ${this.#disagreement}`,
    );
    for (const device of this.#devices) device.compareFolds();
    this.#ledger.compare(this.#disk);
  }

  async #end(): Promise<void> {
    if (this.#isOver) return;
    const closings: (() => Promise<void>)[] = this.#devices.map((device) => () => device.close());
    // A deploy may have left no server, and nobody needed one since.
    if (this.#server.process !== undefined) closings.splice(this.#chance.pick([0, closings.length]), 0, () => this.#server.close(0));
    let openCount = closings.length;
    for (const close of closings) void close().then(() => (openCount -= 1));
    await this.#timeline.run(this.#timeline.nowMs + END_MAX_MS, () => this.#isOver || openCount === 0);
    this.#verdict.expect(
      openCount === 0,
      'all-settled',
      () => `${openCount} of ${closings.length} closings have not ended after ${END_MAX_MS} ms`,
    );
    await this.#timeline.run(this.#timeline.nowMs + END_MAX_MS, () => this.#isOver);
  }

  /** Who watches a topic's members and does not see exactly those who entered it, for a report. */
  get #disagreement(): string | undefined {
    for (const topic of this.#topics) {
      const want = this.#devices
        .flatMap(({ beside }) => beside.enteredWith(topic) ?? [])
        .map((state) => JSON.stringify(state))
        .sort();
      for (const { name, beside } of this.#devices) {
        const have = beside.seen(topic);
        if (have !== undefined && have.join() !== want.join())
          return `${name} sees ${have.join() || 'nobody'} on ${topic}, where ${want.join() || 'nobody'} is`;
      }
    }
    return undefined;
  }
}
