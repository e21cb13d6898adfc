/** Holdfast in the audit: `holdfast serve`, and a publisher with its outbox. */

import { createClient, type Client, type EntryRecord } from '@holdfast/client';
import { WebSocket } from 'ws';
import { Served } from '../replay/served.ts';
import type { AuditServer, Publisher, PublisherAccount } from './contender.ts';
import { instantMs } from './instant.ts';

export const TOPIC = 'audit/broadcasts';
const PAGE_COUNT = 1_000;
/** What a broadcast is filled up with, for all contenders. */
const FILLING = 'x'.repeat(100);

/** A broadcast as it is sent, by all contenders. */
export interface Broadcast {
  readonly number: number;
  readonly text: string;
}

export function broadcastOf(number: number): Broadcast {
  return { number, text: FILLING };
}

/** The number of what came. */
export function numberOf(data: unknown): number {
  return (data as Broadcast).number;
}

/** `holdfast serve` as it is, with nothing but a port and a place for its data. */
export class HoldfastServer implements AuditServer {
  readonly #served: Served;
  #isUp = false;

  /** `data`: the folder of the store; `undefined`: in memory. */
  constructor(data: string | undefined) {
    this.#served = new Served({ data });
  }

  get port(): number {
    return Number(new URL(this.#served.url).port);
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  get failed(): Promise<never> {
    return this.#served.failed;
  }

  async start(): Promise<void> {
    await this.#served.start();
    this.#isUp = true;
  }

  async kill(): Promise<void> {
    this.#isUp = false;
    await this.#served.kill();
  }

  async stop(): Promise<void> {
    this.#isUp = false;
    await this.#served.stop();
  }
}

/** Publishes through a connection that is cut like any other, and checks what was acknowledged against the log in the end. */
export class HoldfastPublisher implements Publisher {
  readonly #client: Client;
  readonly #acknowledged = new Map<number, number>();
  readonly #publishedAtMs = new Map<number, number>();
  readonly #serverUrl: () => string;
  #unsettledCount = 0;

  /** `port`: that of its link; `serverUrl`: the server itself, to read the log from. */
  constructor(port: number, serverUrl: () => string) {
    this.#serverUrl = serverUrl;
    this.#client = createClient({ url: `ws://127.0.0.1:${port}`, token: 'publisher', client: 'publisher', WebSocket });
  }

  publish(number: number): void {
    this.#unsettledCount += 1;
    this.#client
      .topic(TOPIC)
      .publish({ ...broadcastOf(number) })
      .then(({ offset }) => {
        this.#publishedAtMs.set(number, instantMs());
        this.#acknowledged.set(number, offset);
      })
      // What is not acknowledged is not promised: whether it came is seen at the clients.
      .catch(() => {})
      .finally(() => (this.#unsettledCount -= 1));
  }

  get isSettled(): boolean {
    return this.#unsettledCount === 0;
  }

  async finish(): Promise<PublisherAccount> {
    await this.#client.close();
    const reader = createClient({ url: this.#serverUrl(), token: 'auditor', client: 'auditor', WebSocket });
    try {
      const log = await readLog(reader);
      const acknowledgedLost = [...this.#acknowledged].filter(([number, offset]) => {
        const places = log.filter(({ data }) => numberOf(data) === number);
        return places.length !== 1 || places[0]!.offset !== offset;
      });
      return { publishedAtMs: this.#publishedAtMs, acknowledgedLost: acknowledgedLost.map(([number]) => number) };
    } finally {
      await reader.close();
    }
  }
}

async function readLog(client: Client): Promise<readonly EntryRecord[]> {
  const entries: EntryRecord[] = [];
  for (let after = 0; ;) {
    const page = await client.topic(TOPIC).read({ after, limit: PAGE_COUNT });
    entries.push(...page.entries);
    const last = page.entries.at(-1)?.offset;
    if (last === undefined) return entries;
    after = last;
  }
}
