/** A client, a scripted server and a network between them, in virtual time. */

import { createMemoryOutbox } from './outbox-memory.ts';
import type { OutboxStore } from './outbox.ts';
import type { OutboxRow } from './publisher.ts';
import { createClient, type Client, type ClientOptions } from './client.ts';
import type { Item } from './item.ts';
import type { TopicReader } from './reader.ts';
import { MemoryNetwork } from './memory-network.testing.ts';
import { ScriptedServer } from './scripted-server.testing.ts';
import { seededRandom, VirtualClock } from './virtual-clock.testing.ts';

/** The topic that most tests are about. */
export const T = 'chat/1';

export class World {
  readonly clock = new VirtualClock();
  readonly network = new MemoryNetwork(this.clock);
  readonly server = new ScriptedServer(this.network);
  readonly clients: Client[] = [];
  readonly random: () => number;

  constructor(seed = 1) {
    this.random = seededRandom(seed);
  }

  client(options: Partial<ClientOptions> = {}): Client {
    const client = createClient({ url: 'ws://server', socket: this.network.socket, clock: this.clock, random: this.random, ...options });
    this.clients.push(client);
    return client;
  }

  /** What stands in the log. */
  stored(topic = T): unknown[] {
    return this.server.log(topic).entries.map(({ data }) => data);
  }

  /** The seqs that arrived, in their order. */
  seqs(): number[] {
    return this.server.published.map(({ seq }) => seq);
  }

  /** Lets time pass until the client is connected, and a little more. */
  async open(client: Client): Promise<void> {
    await this.clock.advance(0);
    while (client.status.getSnapshot().phase !== 'open') await this.clock.advance(50);
    await this.clock.advance(10);
  }

  /** A client that is connected. */
  async connected(options: Partial<ClientOptions> = {}): Promise<Client> {
    const client = this.client(options);
    await this.clock.advance(10);
    if (client.status.getSnapshot().phase !== 'open') throw new Error(`phase ${client.status.getSnapshot().phase}`);
    return client;
  }

  async close(): Promise<void> {
    for (const client of this.clients) {
      const closing = client.close();
      await this.clock.advance(1);
      await closing;
    }
  }
}

/** Reads on and on into a list. */
export function collect(reader: TopicReader): Item[] {
  const items: Item[] = [];
  const step = (): void => {
    reader.next().then(
      ({ done, value }) => {
        if (done === true) return;
        items.push(value);
        step();
      },
      () => {},
    );
  };
  step();
  return items;
}

/** What the entries among the items carry. */
export function payloads(items: readonly Item[]): unknown[] {
  return items.filter((item) => item.type === 'entry').map((item) => item.data);
}

/** What a promise came to, once it has: the value or the error's code. */
export function outcome<T>(promise: Promise<T>): { value?: T; code?: string } {
  const state: { value?: T; code?: string } = {};
  promise.then(
    (value) => {
      state.value = value;
    },
    (error: unknown) => {
      state.code = (error as { code: string }).code;
    },
  );
  return state;
}

export function rows(client: Client): Pick<OutboxRow, 'items' | 'state'>[] {
  return client.outbox.getSnapshot().map(({ items, state }) => ({ items, state }));
}

/** A persistent outbox in memory. */
export function persistent(store: OutboxStore = createMemoryOutbox()): OutboxStore {
  return { isPersistent: true, load: () => store.load(), apply: (changes) => store.apply(changes), close: () => store.close() };
}
