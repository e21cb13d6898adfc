/** Ours: the client of `@holdfast/client` with its outbox, and a hub with the memory store. */

import { createClient, type Client } from '@holdfast/client';
import { createHub, createMemoryStore, listen, type Hub } from '@holdfast/server';
import { WebSocket } from 'ws';
import type { Caller, Contender, ContenderServer, ServeSettings } from './contender.ts';
import { ALL_MEASURES } from './row.ts';

const UP = 'bench/up';
export const DOWN = 'bench/down';
/** What an entry has around its payload, bytes at most. */
const ENVELOPE_BYTES = 4_096;

export const holdfastClient: Contender = {
  name: 'holdfast client',
  measures: ALL_MEASURES,
  package: undefined,
  isOurs: true,
  heartbeat: 'of the server',
  code: `export { createClient } from '@holdfast/client';`,
  serve,
};

async function serve({ heartbeatMs, spreadMs, pushBytesMax }: ServeSettings): Promise<ContenderServer> {
  const hub = createHub({
    store: createMemoryStore(),
    ...(heartbeatMs === undefined ? {} : { heartbeatMs }),
    ...(spreadMs === undefined ? {} : { spreadMs }),
    // Messages beyond the default bound are there to see what a link does that is busy with one of them.
    ...(pushBytesMax === undefined ? {} : { limits: limitsFor(pushBytesMax + ENVELOPE_BYTES) }),
  });
  const server = await listen({ hub, port: 0 });
  return {
    port: server.port,
    received: () => readAll(hub),
    push: async (bytes) => {
      await hub.publish(DOWN, 'x'.repeat(bytes));
    },
    connect: (port, name) => new HoldfastCaller(port, name, pushBytesMax !== undefined),
    close: () => server.close(),
  };
}

function limitsFor(bytes: number): { readonly frameBytesMax: number; readonly queueBytesMax: number } {
  return { frameBytesMax: Math.max(bytes, 262_144), queueBytesMax: Math.max(bytes, 1_048_576) };
}

class HoldfastCaller implements Caller {
  acknowledgedCount = 0;
  pushedCount = 0;
  readonly #client: Client;

  constructor(port: number, name: string, listens: boolean) {
    this.#client = createClient({ url: `ws://127.0.0.1:${port}`, token: name, WebSocket });
    if (listens) void this.#listen();
  }

  get isConnected(): boolean {
    return isConnectedPhase(this.#client.status.getSnapshot().phase);
  }

  send(number: number): void {
    this.#client
      .topic(UP)
      .publish(number)
      .then(
        () => (this.acknowledgedCount += 1),
        // It counts as not acknowledged, which the table shows.
        () => {},
      );
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  async #listen(): Promise<void> {
    for await (const item of this.#client.topic(DOWN)) if (item.type === 'entry') this.pushedCount += 1;
  }
}

/** A connection that is only suspected is not given up: every other phase means that there is none. */
export function isConnectedPhase(phase: string): boolean {
  return phase === 'open' || phase === 'suspect';
}

/** The log is what the server got: every entry of it was told, or will be, to every subscriber. */
async function readAll(hub: Hub): Promise<readonly number[]> {
  const numbers: number[] = [];
  for (let after = 0; ;) {
    const page = (await hub.actor({ subject: 'bench' }).read(UP, { after })) as unknown as Page;
    numbers.push(...page.entries.map(({ data }) => data));
    const last = page.entries.at(-1)?.offset;
    if (last === undefined) return numbers;
    after = last;
  }
}

interface Page {
  readonly entries: readonly { readonly offset: number; readonly data: number }[];
}
