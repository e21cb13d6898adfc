/**
 * One nick: a client with an outbox of its own, which speaks, joins and parts as the log says. While it is on a topic it
 * reads it, and every entry that it sees must follow the one before.
 */

import { createClient, type Client, type SocketFactory, type TopicReader } from '@holdfast/client';
import { HoldfastError, type Json } from '@holdfast/wire';
import { legalName } from './legal-name.ts';
import type { Ledger } from './ledger.ts';

export interface ParticipantOptions {
  readonly nick: string;
  readonly url: string;
  readonly socket: SocketFactory;
  readonly ledger: Ledger;
  readonly tally: Tally;
}

/** What all participants did together. */
export interface Tally {
  acknowledged: number;
  duplicates: number;
  /** Entries that members read. */
  read: number;
  entered: number;
  left: number;
  /** Enters that the server refused, by code; it should refuse none. */
  readonly enterRefusals: Map<string, number>;
}

interface Membership {
  readonly reader: TopicReader;
  readonly entering: Promise<void>;
}

/** What the connection does to an enter: the client says it again by itself. */
const NO_REFUSALS: ReadonlySet<string> = new Set(['OFFLINE', 'UNKNOWN_OUTCOME', 'CLOSED']);

export class Participant {
  readonly #options: ParticipantOptions;
  readonly #client: Client;
  readonly #memberships = new Map<string, Membership>();
  readonly #reading = new Set<Promise<void>>();
  readonly #parting = new Set<Promise<void>>();
  #unanswered = 0;

  constructor(options: ParticipantOptions) {
    this.#options = options;
    const { nick, url, socket } = options;
    const name = legalName(nick);
    this.#client = createClient({ url, token: name, client: name, socket });
  }

  /** Publishes that are under way. */
  get unanswered(): number {
    return this.#unanswered;
  }

  get isMember(): boolean {
    return this.#memberships.size > 0;
  }

  /** Resolves when the outcome is known; what is not an acknowledgement goes into the ledger. */
  async publish(topic: string, data: Json): Promise<void> {
    const { ledger, tally, nick } = this.#options;
    this.#unanswered += 1;
    try {
      const { duplicate } = await this.#client.topic(topic).publish(data);
      tally.acknowledged += 1;
      if (duplicate) tally.duplicates += 1;
    } catch (error) {
      ledger.report('unanswered', `${nick} in ${topic}, ${JSON.stringify(data).slice(0, 120)}: ${codeOf(error)}`);
    } finally {
      this.#unanswered -= 1;
    }
  }

  join(topic: string): void {
    if (this.#memberships.has(topic)) return;
    const reader = this.#client.topic(topic).items();
    this.#memberships.set(topic, { reader, entering: this.#enter(topic) });
    const reading = this.#read(topic, reader).finally(() => this.#reading.delete(reading));
    this.#reading.add(reading);
  }

  part(topic: string): void {
    const membership = this.#memberships.get(topic);
    if (membership === undefined) return;
    this.#memberships.delete(topic);
    const parting = this.#leave(topic, membership).finally(() => this.#parting.delete(parting));
    this.#parting.add(parting);
  }

  async close(): Promise<void> {
    for (const topic of this.#memberships.keys()) this.part(topic);
    await Promise.all(this.#parting);
    await this.#client.close();
    await Promise.all(this.#reading);
  }

  async #enter(topic: string): Promise<void> {
    const { tally, nick } = this.#options;
    try {
      await this.#client.topic(topic).enter({ nick });
      tally.entered += 1;
    } catch (error) {
      const code = error instanceof HoldfastError ? error.code : String(error);
      if (!NO_REFUSALS.has(code)) tally.enterRefusals.set(code, (tally.enterRefusals.get(code) ?? 0) + 1);
    }
  }

  async #leave(topic: string, { reader, entering }: Membership): Promise<void> {
    await entering;
    await this.#client.topic(topic).leave();
    this.#options.tally.left += 1;
    reader.close();
  }

  async #read(topic: string, reader: TopicReader): Promise<void> {
    const { ledger, tally, nick } = this.#options;
    let last: number | undefined;
    try {
      for await (const item of reader) {
        if (item.type === 'gap') ledger.report('gap', `${nick} in ${topic}: ${JSON.stringify(item)}`);
        if (item.type !== 'entry') continue;
        tally.read += 1;
        if (last !== undefined && item.offset !== last + 1) ledger.report('member', `${nick} in ${topic}: ${item.offset} after ${last}`);
        last = item.offset;
      }
    } catch (error) {
      ledger.report('member', `${nick} in ${topic}: ${codeOf(error)}`);
    }
  }
}

function codeOf(error: unknown): string {
  return error instanceof HoldfastError ? `${error.code}: ${error.message}` : String(error);
}
