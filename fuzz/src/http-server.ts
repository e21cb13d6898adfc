/** A real server on a free port of this machine, with the REST API, health, metrics and two paths for sockets, and its witness. */

import { createRevocations, createTickets } from '@holdfast/auth';
import { createRestApi } from '@holdfast/http';
import { createHealth, createMetrics, createOperationsHandler } from '@holdfast/ops';
import {
  createHub,
  createMemoryDisk,
  createMemoryStore,
  Endpoint,
  listen,
  type HoldfastServer,
  type Hub,
  type MemoryDisk,
} from '@holdfast/server';
import { HoldfastError } from '@holdfast/wire';
import { asError, demand } from './target.ts';
import { turn } from './virtual-clock.ts';
import { Witness, WITNESS_TOPIC } from './witness.ts';

/** One stranger asks more than a thousand times a second here: no rate is to stand in the way. */
const LIMITS = {
  acceptsPerSecond: Infinity,
  addressAcceptsPerSecond: Infinity,
  addressConnectionsMax: Infinity,
  addressRequestsPerSecond: Infinity,
  frameBytesMax: 16_384,
};
const OPERATOR_TOKEN = 'operator-of-this-server';
/** Its credentials are younger than any that a back end takes back by their time, as it may. */
const WITNESS = { subject: 'witness', issuedAtMs: Number.MAX_SAFE_INTEGER };
/** How long the hub has to forget who is gone, turns of the event loop. */
const TURNS_MAX = 500;
/** Nothing may be published there by anybody but the witness. */
const TOPICS = ['chat/*', 't'];

export class HttpServer {
  readonly disk: MemoryDisk = createMemoryDisk();
  readonly hub: Hub;
  readonly #faults: Error[] = [];
  readonly #witness: Witness;
  #server: HoldfastServer | undefined;

  constructor() {
    this.hub = createHub({
      store: createMemoryStore({ disk: this.disk }),
      limits: LIMITS,
      memory: () => 0,
      onError: (error) => void this.#faults.push(asError(error)),
    });
    this.#witness = new Witness(this.hub, new Endpoint({ authenticate: () => WITNESS }));
  }

  async open(): Promise<this> {
    const { hub } = this;
    const authenticate = ({ token }: { readonly token: string | undefined }): { readonly subject: string } => {
      if (token !== 'alice' && token !== 'server.one') throw new HoldfastError('UNAUTHENTICATED');
      return { subject: token.replace('server.', 'server:') };
    };
    const options = { topics: TOPICS, authenticate };
    const api = createRestApi({
      hub,
      endpoint: new Endpoint(options),
      isBackEnd: ({ subject }) => subject.startsWith('server:'),
      tickets: createTickets(),
      revocations: createRevocations({ revocationsMax: 100 }),
      bodyTimeoutMs: 2_000,
    });
    const operations = createOperationsHandler({
      health: createHealth({ hub }),
      metrics: createMetrics({ hub, defaultMetrics: false }),
      token: OPERATOR_TOKEN,
    });
    this.#server = await listen({
      hub,
      port: 0,
      paths: {
        '/': options,
        '/plain': { topics: TOPICS, authenticate: () => ({ subject: 'plain' }), plain: { text: (text, client) => client.send(text) } },
      },
      request: (request, response) => {
        operations(request, response, () => {
          void api(request, response).then((isServed) => {
            if (!isServed) response.writeHead(404).end();
          });
        });
      },
    });
    return this;
  }

  get port(): number {
    return this.#server!.port;
  }

  /** Throws unless everybody but the witness is gone, the witness is served, and nothing is where nobody could put it. */
  async check(): Promise<void> {
    this.#witness.beat();
    for (let count = 0; count < TURNS_MAX && this.hub.connectionCount > 1; count++) await turn();
    demand(this.hub.connectionCount === 1, () => `${this.hub.connectionCount - 1} connections are left of those who have gone`);
    await this.#witness.speak(async () => {
      for (let count = 0; count < 10; count++) await turn();
    });
    for (const [topic, { entries }] of this.disk.topics) {
      const isAllowed = topic === WITNESS_TOPIC || topic === 't' || topic.startsWith('chat/') || entries.length === 0;
      demand(isAllowed, () => `entries are stored in "${topic}"`);
      demand(
        topic === WITNESS_TOPIC || entries.every(({ from }) => ['alice', 'server:one', 'server', 'plain'].includes(from)),
        () => 'an entry is of nobody',
      );
    }
    this.assertNoFault();
  }

  assertNoFault(): void {
    const [fault] = this.#faults;
    if (fault !== undefined) throw fault;
  }

  async close(): Promise<void> {
    this.#witness.leave();
    await this.#server!.close();
    this.assertNoFault();
  }
}
