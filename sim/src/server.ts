/**
 * The server of a run: the real hub on a disk that outlives it. It is killed, loses its power, or is deployed anew; each
 * time a new process with a new hub opens what the disk holds.
 */

import { createHub, Endpoint, type Hub, type Identity, type Kind, type Question, type TopicStore } from '@holdfast/server';
import { HoldfastError, type Data, type Json } from '@holdfast/wire';
import type { Disk } from './disk.ts';
import type { Network } from './network.ts';
import { contentOf } from './payload.ts';
import { Process, type WallClock } from './process.ts';
import type { Profile } from './profile.ts';
import type { Verdict } from './properties.ts';
import type { Chance } from './random.ts';
import type { RightsBook } from './rights-book.ts';
import type { Timeline } from './timeline.ts';
import type { Trace } from './trace.ts';

export interface ServerOptions {
  readonly profile: Profile;
  readonly timeline: Timeline;
  readonly chance: Chance;
  readonly trace: Trace;
  readonly verdict: Verdict;
  readonly network: Network;
  readonly disk: Disk;
  readonly rights: RightsBook;
}

interface Incarnation {
  readonly process: Process;
  readonly hub: Hub;
  readonly store: TopicStore;
}

/** How long after the end of a hub nothing of it may be left, ms: longer than its longest wait, the presence grace. */
const REST_MS = 30_000;

/** Keeps everything, and hides what says so. */
const kind: Kind = {
  name: 'log',
  isVisible: ({ payload }, { subject }) => contentOf(payload).hiddenFrom !== subject,
};

export class Server {
  readonly #options: ServerOptions;
  /** Whether hooks take time or fail; faults end with the calm. */
  isTroubled = true;
  readonly wallClock: WallClock = { skewMs: 0 };
  /** How long credentials that are given now are good for, ms; `undefined`: for ever. */
  tokenValidMs: number | undefined;
  /** How long what comes after `goaway` is still carried out: until then, virtual ms; `undefined`: no end is in sight. */
  drainsUntilMs: number | undefined;
  /** Calls that were carried out, by what names them. */
  readonly #called = new Set<string>();
  #present: Incarnation | undefined;
  #count = 0;
  #closing: Promise<void> | undefined;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.start();
  }

  get isUp(): boolean {
    return this.#present !== undefined && this.#closing === undefined;
  }

  get process(): Process | undefined {
    return this.#present?.process;
  }

  /** Opens what the disk holds. */
  start(): void {
    const { timeline, chance, trace, network, disk, profile, verdict } = this.#options;
    const process = new Process(`server${++this.#count}`, timeline, chance, this.wallClock, profile.turnMs);
    trace.line(process.name, 'starts');
    const store = disk.open(process);
    const { heartbeatMs, queueBytesMax, producerSilenceMs, keepCountMax } = profile;
    const hub = createHub({
      store,
      clock: process,
      random: chance.fork(process.name).next,
      heartbeatMs,
      limits: { queueBytesMax, producerSilenceMs },
      topics: [
        {
          pattern: '*',
          kind,
          ...(keepCountMax === undefined ? {} : { retention: { countMax: keepCountMax } }),
          beforePublish: ({ items }) => this.#hook(process, items),
        },
      ],
      onError: (error) => {
        // The store's trouble is simulated; anything else is the hub's own.
        if (!(error instanceof HoldfastError)) verdict.violated('no-error-escapes', `the hub reports ${String(error)}`);
      },
    });
    const endpoint = new Endpoint({
      authenticate: ({ token }) => this.#afterHook(process, this.#identityOf(token!, process)),
      authorize: (question) => this.#afterHook(process, this.#answerTo(question)),
      methods: { count: (data) => this.#afterHook(process, this.#call(data)) },
    });
    this.drainsUntilMs = undefined;
    this.#options.rights.toldAll();
    this.#present = { process, hub, store };
    network.door = {
      process,
      accept: (socket) => hub.accept(socket, { endpoint, address: '', headers: {}, url: '/', protocols: [], isProtocol: true }),
    };
  }

  /** It stops at once. `isSilent`: with its whole machine, so that nobody is told. */
  kill(isSilent: boolean): void {
    const { network, trace } = this.#options;
    if (this.#present === undefined) return;
    const { process } = this.#present;
    trace.line(process.name, isSilent ? 'loses its power' : 'is killed');
    process.kill();
    network.door = undefined;
    network.bury(process, isSilent);
    this.#present = undefined;
    this.#closing = undefined;
  }

  /** Ends in order: says goodbye, answers what still comes, commits. Resolves when the hub has closed; never if it is killed meanwhile. */
  close(drainMs: number): Promise<void> {
    this.#closing ??= this.#close(drainMs);
    return this.#closing;
  }

  async #close(drainMs: number): Promise<void> {
    const { network, trace, chance } = this.#options;
    const { process, hub, store } = this.#present!;
    trace.line(process.name, `closes, ${drainMs} ms`);
    this.drainsUntilMs = this.#options.timeline.nowMs + drainMs;
    if (chance.is(0.5)) network.door = undefined;
    await hub.close({ drainMs });
    network.door = undefined;
    await store.close();
    trace.line(process.name, 'has closed');
    this.#present = undefined;
    this.#closing = undefined;
    void this.#rest(process);
  }

  /** The closed process lives on for a while, so that what is left of its hub would show. */
  async #rest(process: Process): Promise<void> {
    const { network, verdict } = this.#options;
    await process.sleep(REST_MS);
    verdict.expect(
      process.timerCount === 0,
      'nothing-left-behind',
      () => `${process.timerCount} timers of ${process.name} are set ${REST_MS} ms after its end`,
    );
    process.kill();
    network.bury(process, false);
  }

  /** Removes a topic; retried by nobody. */
  delete(topic: string): void {
    this.#present?.hub.deleteTopic(topic).catch(() => {});
  }

  /** `subject`: only this one's rights. */
  recheck(subject?: string): void {
    if (this.#present === undefined) return;
    if (subject === undefined) this.#options.rights.toldAll();
    else this.#options.rights.told(subject);
    this.#present.hub
      .recheck(subject)
      .catch((error: unknown) => this.#options.verdict.violated('no-error-escapes', `recheck: ${String(error)}`));
  }

  /** Takes the credentials of a subject back. */
  revoke(subject: string): void {
    this.#present?.hub.disconnect({ subject });
  }

  /** What its wall clock says. */
  get nowMs(): number {
    return this.#present?.process.now() ?? 0;
  }

  #identityOf(subject: string, process: Process): Identity {
    const { tokenValidMs } = this;
    return { subject, ...(tokenValidMs === undefined ? {} : { expiresAtMs: process.now() + Math.ceil(tokenValidMs) }) };
  }

  #answerTo({ action, identity, topic }: Question): ReturnType<RightsBook['answer']> {
    const isKept = action === 'subscribe' || action === 'publish' || action === 'members';
    return isKept ? this.#options.rights.answer(action, identity.subject, topic) : true;
  }

  /** HF-7.9: each is carried out once, at the most. */
  #call(data: Json): Json {
    const name = JSON.stringify(data);
    this.#options.verdict.expect(!this.#called.has(name), 'calls-once', () => `the call ${name} is carried out twice`);
    this.#called.add(name);
    return data;
  }

  #hook(process: Process, items: readonly Data[]): undefined | Promise<undefined> {
    const { chance, profile } = this.#options;
    if (items.some((item) => contentOf(item).isRefused === true)) throw new HoldfastError('REFUSED', 'simulated refusal');
    if (this.isTroubled && chance.is(profile.hookFailures)) throw new HoldfastError('OVERLOADED', 'simulated trouble');
    return this.#afterHook(process, undefined);
  }

  /** The answer at once, or after the time that a hook takes. */
  #afterHook<T>(process: Process, answer: T): T | Promise<T> {
    const { chance, profile } = this.#options;
    if (profile.hookMs === 0 || chance.is(0.5)) return answer;
    return process.sleep(chance.exponential(profile.hookMs)).then(() => answer);
  }
}
