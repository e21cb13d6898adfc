/** What a device does beside publishing and following (PROTOCOL.md HF-7): pages, registers, signals, presence; and what it may see. */

import type { Client, Signal, Topic } from '@holdfast/client';
import { HoldfastError, type EntryRecord, type Json } from '@holdfast/wire';
import type { Ledger } from './ledger.ts';
import { contentOf } from './payload.ts';
import type { Process } from './process.ts';
import type { Verdict } from './properties.ts';
import type { Chance } from './random.ts';
import type { RightsBook } from './rights-book.ts';
import type { Tally } from './tally.ts';
import type { Trace } from './trace.ts';
import type { SignalContent } from './wiretap.ts';

export interface BesideOptions {
  readonly name: string;
  readonly topics: readonly string[];
  readonly chance: Chance;
  readonly trace: Trace;
  readonly verdict: Verdict;
  readonly ledger: Ledger;
  readonly tally: Tally;
  readonly rights: RightsBook;
  readonly subject: string;
}

/** What requests end with that are not kept for later, when faults are about. */
const LEGAL_ENDS: ReadonlySet<string> = new Set([
  'OFFLINE',
  'UNKNOWN_OUTCOME',
  'CLOSED',
  'STORE_UNAVAILABLE',
  'STORE_READ_ONLY',
  'GOING_AWAY',
  'NOT_SUBSCRIBED',
  'REVISION_MISMATCH',
  'OVERLOADED',
  'INTERNAL',
  'UNAUTHENTICATED',
]);

const KEYS = ['read', 'delivered'];

export class Beside {
  readonly #options: BesideOptions;
  /** Topics whose signals and members it follows. */
  readonly #listensTo: ReadonlySet<string>;
  readonly #watches: ReadonlySet<string>;
  #client: Client | undefined;
  #process: Process | undefined;
  #count = 0;
  /** What it entered with, by topic. */
  #entered = new Map<string, Json>();
  /** The newest signal of each process, by topic. */
  #heard = new Map<string, number>();
  /** The last own entry that was acknowledged, by topic. */
  #acknowledged = new Map<string, { readonly epoch: string; readonly offset: number }>();

  constructor(options: BesideOptions) {
    const { chance, topics } = options;
    this.#options = options;
    this.#listensTo = new Set(topics.filter(() => chance.is(0.5)));
    this.#watches = new Set(topics.filter(() => chance.is(0.5)));
  }

  /** A new process begins, with nothing in memory. */
  begin(client: Client, process: Process): void {
    this.#client = client;
    this.#process = process;
    this.#entered = new Map();
    this.#heard = new Map();
    this.#acknowledged = new Map();
    for (const topic of this.#listensTo) client.topic(topic).onSignal((signal) => this.#hear(topic, signal));
    for (const topic of this.#watches) client.topic(topic).members.subscribe(() => {});
  }

  acknowledged(topic: string, epoch: string, offset: number): void {
    this.#acknowledged.set(topic, { epoch, offset });
  }

  /** What it entered a topic with; `undefined`: it is not there. */
  enteredWith(topic: string): Json | undefined {
    return this.#entered.get(topic);
  }

  /** The states of the members that it sees, sorted; `undefined` if it does not look. */
  seen(topic: string): readonly string[] | undefined {
    if (!this.#watches.has(topic)) return undefined;
    const members = this.#client!.topic(topic).members.getSnapshot();
    return members.map(({ state }) => JSON.stringify(state)).sort();
  }

  act(name: string): void {
    const { chance, trace } = this.#options;
    const topic = this.#client!.topic(name);
    const action = chance.pick(['read', 'raise', 'set', 'signal', 'signal', 'enter', 'leave', 'call'] as const);
    trace.line(this.#options.name, `${action}s in ${name}`);
    switch (action) {
      case 'read':
        return this.#read(topic);
      case 'raise':
        return this.#raise(topic);
      case 'set':
        return this.#set(topic);
      case 'signal':
        return this.#signal(topic);
      case 'enter':
        return this.#enter(topic);
      case 'leave':
        this.#entered.delete(name);
        return this.#settles('leave', topic.leave(), name);
      case 'call':
        return this.#call(name);
    }
  }

  #call(topic: string): void {
    const name = `${this.#process!.name} ${++this.#count}`;
    const called = this.#client!.call('count', name).then((answer) => {
      this.#options.tally.count('answered call');
      this.#options.verdict.expect(answer === name, 'calls-once', () => `the call ${name} is answered with ${JSON.stringify(answer)}`);
    });
    this.#settles('call', called, topic);
  }

  #read(topic: Topic): void {
    const { chance, ledger, verdict, tally, name } = this.#options;
    const limit = chance.integer(1, 50);
    const from = chance.integer(0, ledger.current(topic.name)?.contents.length ?? 0);
    const range = chance.is(0.5) ? { after: from } : { before: from };
    const isInRange = ({ offset }: EntryRecord): boolean => ('after' in range ? offset > from : offset < from);
    const read = topic.read({ ...range, limit }).then(({ epoch, entries }) => {
      tally.count('read page');
      const log = ledger.log(topic.name, epoch);
      const isTrue = entries.every((entry, at) => {
        const isAscending = entry.offset > (entries[at - 1]?.offset ?? 0);
        return isAscending && isInRange(entry) && log?.contents[entry.offset - 1]?.id === contentOf(entry.data).id;
      });
      verdict.expect(
        isTrue && entries.length <= limit,
        'reads-true',
        () => `${name} read ${JSON.stringify(range)} of ${topic.name} ${epoch}: ${entries.map(({ offset }) => offset).join(' ')}`,
      );
    });
    this.#settles('read', read, topic.name);
  }

  #raise(topic: Topic): void {
    const value = ++this.#count;
    const key = this.#options.chance.pick(KEYS);
    const raised = topic.raise(key, value).then(({ value: stands, revision }) => {
      this.#options.ledger.registered(topic.name, { key, value: stands, revision });
      this.#options.verdict.expect(
        Number(stands) >= value,
        'registers-rise',
        () => `${key} of ${topic.name} was raised to ${value} and stands at ${JSON.stringify(stands)}`,
      );
    });
    this.#settles('raise', raised, topic.name);
  }

  #set(topic: Topic): void {
    const { chance } = this.#options;
    const key = 'title';
    const value = `${this.#options.name} ${++this.#count}`;
    const ifRevision = chance.is(0.3) ? { ifRevision: chance.integer(0, 3) } : {};
    this.#settles(
      'set',
      topic.set(key, value, ifRevision).then((stands) => this.#options.ledger.registered(topic.name, stands)),
      topic.name,
    );
  }

  #signal(topic: Topic): void {
    const { epoch = '', offset = 0 } = this.#acknowledged.get(topic.name) ?? {};
    const content: SignalContent = { process: this.#process!.name, count: ++this.#count, epoch, offset };
    topic.signal({ ...content });
  }

  #enter(topic: Topic): void {
    const state = { device: this.#options.name, count: ++this.#count };
    this.#entered.set(topic.name, state);
    this.#settles('enter', topic.enter(state), topic.name);
  }

  #hear(topic: string, { data }: Signal): void {
    const { process, count } = data as unknown as SignalContent;
    const key = `${process} ${topic}`;
    const isNewer = count > (this.#heard.get(key) ?? 0) && process !== this.#process!.name;
    this.#options.verdict.expect(
      isNewer,
      'signals-in-place',
      () => `${this.#options.name} hears signal ${count} of ${process} after ${this.#heard.get(key)}`,
    );
    this.#heard.set(key, count);
    this.#options.tally.count('heard signal');
  }

  #settles(what: string, promise: Promise<void>, topic: string): void {
    const { verdict, rights, subject, name } = this.#options;
    promise.catch((error: unknown) => {
      const code = error instanceof HoldfastError ? error.code : '';
      const isLegal = LEGAL_ENDS.has(code) || (code === 'FORBIDDEN' && rights.wasTaken('subscribe', subject, topic));
      verdict.expect(isLegal, 'refusals-legal', () => `${what} of ${name} ended with ${String(error)}`);
    });
  }
}
