/**
 * A device: the real client in a process that can be killed at any moment, on an outbox that survives it, and the
 * application around it that publishes and reads. It acts when it is told to; what it does is drawn.
 */

import { createClient, type Client, type PublishOptions } from '@holdfast/client';
import type { Data, HoldfastError } from '@holdfast/wire';
import { Beside } from './beside.ts';
import { Consumer } from './consumer.ts';
import type { Ledger, Publication } from './ledger.ts';
import type { Network, Route } from './network.ts';
import { OutboxDisk } from './outbox-disk.ts';
import { payloadOf, type Content } from './payload.ts';
import { Process, type WallClock } from './process.ts';
import type { Profile } from './profile.ts';
import type { Verdict } from './properties.ts';
import type { Chance } from './random.ts';
import type { RightsBook } from './rights-book.ts';
import type { Tally } from './tally.ts';
import type { Timeline } from './timeline.ts';
import type { Trace } from './trace.ts';

export interface DeviceOptions {
  readonly name: string;
  readonly subject: string;
  /** All subjects: something may be hidden from any of them. */
  readonly subjects: readonly string[];
  readonly topics: readonly string[];
  readonly profile: Profile;
  readonly timeline: Timeline;
  readonly chance: Chance;
  readonly trace: Trace;
  readonly verdict: Verdict;
  readonly network: Network;
  readonly ledger: Ledger;
  readonly tally: Tally;
  readonly rights: RightsBook;
  /** Where its outbox is. Default: on a disk of its own. */
  readonly outbox?: OutboxDisk;
  /** Whether others have that disk too: then its rows may go on in another's hands. */
  readonly isTab: boolean;
}

/** What a device does, and how often. */
const ACTIONS = [
  ['publish', 60],
  ['publish together', 8],
  ['publish conditionally', 6],
  ['publish for a while', 4],
  ['publish with a deadline', 3],
  ['publish and abort', 3],
  ['publish what is refused', 2],
  ['join or leave', 10],
  ['act beside the log', 15],
  ['show a token', 1],
  ['build a fold anew', 2],
] as const;

type Action = (typeof ACTIONS)[number][0];

const ACTION_WEIGHTS = ACTIONS.reduce((sum, [, weight]) => sum + weight, 0);

export class Device {
  readonly name: string;
  readonly route: Route;
  readonly wallClock: WallClock;
  readonly outbox: OutboxDisk;
  readonly consumers: Consumer[] = [];
  readonly beside: Beside;
  readonly #options: DeviceOptions;
  #process: Process | undefined;
  #client: Client | undefined;
  #processCount = 0;
  #counter = 0;
  /** Promises of publishes that have not settled, in the present process. */
  #unsettled = new Set<Publication>();

  constructor(options: DeviceOptions) {
    const { name, profile, timeline, chance, trace, ledger } = options;
    this.name = name;
    this.#options = options;
    this.wallClock = { skewMs: chance.between(-60_000, 60_000) };
    this.route = { quality: { latencyMs: profile.latencyMs, jitterMs: profile.jitterMs, bytesPerMs: Infinity }, connects: 'accepted' };
    const health = { meanMs: profile.outboxMs, failures: 0 };
    this.outbox = options.outbox ?? new OutboxDisk({ timeline, chance, trace, health, onDurable: (changes) => ledger.durable(changes) });
    this.beside = new Beside(options);
    for (const topic of options.topics) this.#addConsumers(topic);
    this.start();
  }

  get subject(): string {
    return this.#options.subject;
  }

  get process(): Process | undefined {
    return this.#process;
  }

  /** Everything settled, sent and seen. */
  get isDone(): boolean {
    return this.unfinished === undefined;
  }

  /** What is not done yet, for a report. */
  get unfinished(): string | undefined {
    if (this.#client === undefined) return `${this.name} is not running`;
    const [first] = this.#unsettled;
    if (first !== undefined) return `${this.#unsettled.size} publishes of ${this.name} are not settled, the first ${first.ids[0]}`;
    const waiting = this.#client.outbox.getSnapshot().filter(({ state }) => state !== 'uncertain' && state !== 'held');
    if (waiting.length > 0) return `${waiting.length} rows wait in the outbox of ${this.name}, the first ${JSON.stringify(waiting[0])}`;
    return undefined;
  }

  /** The first consumer that has not seen all, for a report. */
  get late(): Consumer | undefined {
    return this.consumers.find(({ hasArrived }) => !hasArrived);
  }

  /** Opens what the outbox holds. */
  start(): void {
    const { timeline, chance, trace, network, profile, subject, name } = this.#options;
    const process = new Process(`${name}.${++this.#processCount}`, timeline, chance, this.wallClock);
    trace.line(process.name, 'starts');
    this.#process = process;
    this.#client = createClient({
      url: 'ws://simulated',
      token: chance.is(0.5) ? subject : () => process.sleep(chance.exponential(profile.hookMs)).then(() => subject),
      store: this.outbox.open(process),
      socket: network.socketFactory(process, this.route),
      clock: process,
      random: chance.fork(process.name).next,
    });
    this.beside.begin(this.#client, process);
    for (const consumer of this.consumers) if (chance.is(0.7)) consumer.join(this.#client, process);
  }

  /** What an application does whose client was closed, for want of credentials or because another has its name. */
  revive(): void {
    const client = this.#client;
    if (client === undefined || client.status.getSnapshot().phase !== 'closed') return;
    this.#process!.run(() => {
      this.#options.trace.line(this.name, 'tries again');
      client.retryNow();
    });
  }

  /** The application shows its token again, after a role was given for example. */
  authenticate(): void {
    this.#process?.run(() => {
      this.#client!.authenticate(this.subject).catch(() => {});
    });
  }

  /**
   * A second device with everything that is in this one's outbox, a little later: of `subject`, if the outbox is somebody's. What was
   * published before the first welcome is nobody's, and goes with whoever is welcome first (HF-6.12).
   */
  async clone(name: string, subject: string): Promise<Device> {
    const { timeline, trace, ledger, profile, chance } = this.#options;
    const ownChance = chance.fork(name);
    const health = { meanMs: profile.outboxMs, failures: 0 };
    let owner = this.subject;
    const outbox = await this.outbox.copy(
      { timeline, chance: ownChance, trace, health, onDurable: (changes) => ledger.durable(changes) },
      (record) => {
        if (record.identity?.subject !== undefined) owner = subject;
        ledger.cloned(record, [this.name, name]);
      },
    );
    trace.line(this.name, `is copied to ${name} of ${owner}`);
    return new Device({ ...this.#options, name, subject: owner, chance: ownChance, outbox });
  }

  kill(isSilent: boolean): void {
    const { network, trace } = this.#options;
    if (this.#process === undefined) return;
    trace.line(this.#process.name, isSilent ? 'loses its power' : 'is killed');
    this.#process.kill();
    network.bury(this.#process, isSilent);
    this.outbox.released(this.#process);
    for (const consumer of this.consumers) consumer.die();
    this.#process = undefined;
    this.#client = undefined;
    this.#unsettled = new Set();
  }

  /** The application does something. */
  act(): void {
    const { chance, topics } = this.#options;
    if (this.#process === undefined) return;
    const topic = chance.pick(topics);
    // A frozen process does nothing either, until it thaws.
    this.#process.run(() => this.#carryOut(this.#drawAction(), topic));
    if (chance.is(0.3)) this.revive();
  }

  /** Lets every consumer read on to the head. */
  joinAll(): void {
    for (const consumer of this.consumers) if (!consumer.isReading) consumer.join(this.#client!, this.#process!);
  }

  /** Decision 20, once every consumer has arrived. */
  compareFolds(): void {
    for (const consumer of this.consumers) consumer.compareFold();
  }

  /** Ends the client in order. Resolves when everything of it must have ended. */
  async close(): Promise<void> {
    const { verdict } = this.#options;
    const process = this.#process!;
    await this.#client!.close();
    for (const consumer of this.consumers) consumer.ended();
    await process.sleep(0);
    const openCount = this.consumers.reduce((sum, consumer) => sum + consumer.openCount, 0);
    verdict.expect(openCount === 0, 'all-settled', () => `${openCount} iterations of ${this.name} go on after its end`);
    verdict.expect(
      process.timerCount === 0,
      'nothing-left-behind',
      () => `${process.timerCount} timers of ${this.name} are set after its end`,
    );
  }

  #addConsumers(topic: string): void {
    const { chance, profile, name, subject, ledger, verdict, trace, tally, rights } = this.#options;
    const count = chance.integer(0, profile.consumersPerTopicMax);
    for (let at = 1; at <= count; at++) {
      const last = chance.pick([undefined, 3, 1_000_000]);
      const windowCount = chance.pick([1, 2, 5, undefined]);
      const itemMs = chance.is(0.6) ? 0 : chance.logarithmic(0.1, 200);
      this.consumers.push(
        new Consumer({
          name: `${name}:${this.consumers.length + 1}`,
          topic,
          subject,
          ledger,
          verdict,
          trace,
          tally,
          chance,
          last,
          windowCount,
          itemMs,
          checkpointCount: chance.pick([1, 1, 1, 5, 20]),
          floor: () => rights.highestFloor(subject, topic),
          wasForbidden: () => rights.wasTaken('subscribe', subject, topic),
        }),
      );
    }
  }

  #drawAction(): Action {
    let left = this.#options.chance.next() * ACTION_WEIGHTS;
    for (const [action, weight] of ACTIONS) if ((left -= weight) < 0) return action;
    return 'publish';
  }

  #carryOut(action: Action, topic: string): void {
    const { chance, ledger } = this.#options;
    switch (action) {
      case 'publish':
        return this.#publish(topic, 1, {});
      case 'publish together':
        return this.#publish(topic, chance.integer(2, 4), {});
      case 'publish conditionally':
        return this.#publish(topic, 1, { ifHead: ledger.current(topic)?.contents.length ?? 0 });
      case 'publish for a while':
        return this.#publish(topic, 1, { ttlMs: chance.logarithmic(1, 10_000) });
      case 'publish with a deadline':
        return this.#publish(topic, 1, { deadlineMs: chance.logarithmic(1, 10_000) });
      case 'publish and abort':
        return this.#publishAndAbort(topic);
      case 'publish what is refused':
        return this.#publish(topic, 1, {}, true);
      case 'show a token':
        return this.authenticate();
      case 'build a fold anew':
        return this.#rewind();
      case 'join or leave':
        return this.#joinOrLeave();
      case 'act beside the log':
        return this.beside.act(topic);
    }
  }

  #joinOrLeave(): void {
    if (this.consumers.length === 0) return;
    const consumer = this.#options.chance.pick(this.consumers);
    if (consumer.isReading) consumer.leave();
    else consumer.join(this.#client!, this.#process!);
  }

  /** A consumer goes back to a checkpoint. */
  #rewind(): void {
    if (this.consumers.length === 0) return;
    const consumer = this.#options.chance.pick(this.consumers);
    if (consumer.isReading) consumer.leave();
    consumer.rewind();
    consumer.join(this.#client!, this.#process!);
  }

  #publishAndAbort(topic: string): void {
    const controller = new AbortController();
    this.#publish(topic, 1, { signal: controller.signal });
    void this.#process!.sleep(this.#options.chance.exponential(100)).then(() => controller.abort());
  }

  #publish(topic: string, count: number, options: PublishOptions, isRefused = false): void {
    const { chance, subject, subjects, ledger, trace } = this.#options;
    const counter = ++this.#counter;
    const hiddenFrom = chance.is(0.05) ? { hiddenFrom: chance.pick(subjects) } : {};
    const contents = Array.from({ length: count }, (_, at): Content => ({
      id: `${this.name}@${subject}/${counter}.${at}`,
      ...hiddenFrom,
      ...(isRefused ? { isRefused } : {}),
      padding: 'x'.repeat(chance.is(0.1) ? chance.integer(0, 400) : 0),
    }));
    const items: Data[] = contents.map((content) => payloadOf(content, chance.is(0.2)));
    const ids = contents.map(({ id }) => id);
    const publication = ledger.published({
      device: this.name,
      subject,
      topic,
      counter,
      ids,
      mayMismatch: options.ifHead !== undefined,
      mayExpire: options.ttlMs !== undefined,
      mayAbort: options.signal !== undefined,
      ...(this.#options.isTab ? { line: this.#process!.name } : {}),
      isRefused,
    });
    trace.line(this.#process!.name, `publishes ${ids.join(' ')} in ${topic} ${Object.keys(options).join(' ')}`);
    const unsettled = this.#unsettled;
    unsettled.add(publication);
    const handle = this.#client!.topic(topic);
    const promise = count === 1 ? handle.publish(items[0]!, options) : handle.publishAll(items, options);
    promise.then(
      (published) => {
        const { offset, epoch, duplicate } = published;
        unsettled.delete(publication);
        trace.line(this.name, `learns ${ids[0]} is at ${offset} of ${epoch}${duplicate ? ', a duplicate' : ''}`);
        ledger.acknowledged(publication, published);
        this.beside.acknowledged(topic, epoch, offset);
      },
      (error: HoldfastError) => {
        unsettled.delete(publication);
        trace.line(this.name, `learns ${ids[0]} was refused: ${error.code}`);
        ledger.refused(publication, error);
      },
    );
  }
}
