/**
 * A hub with everything around it that a test wants to hold in its hand: clock, store, sockets, and clients whose session
 * machine checks that nothing comes out of its place.
 */

import { ClientSession, type ClientMessage, type Hello, type ServerMessage } from '@holdfast/wire';
import { repeatableRandom } from './chance.testing.ts';
import { Endpoint, type EndpointOptions } from './endpoint.ts';
import { createHub, type Hub, type HubOptions } from './hub.ts';
import { MemorySocket } from './memory-socket.testing.ts';
import { ScriptedStore } from './scripted-store.testing.ts';
import { createMemoryDisk, type MemoryDisk } from './store-memory.ts';
import { VirtualClock } from './virtual-clock.testing.ts';

/** One for all stages of a run: no epoch and no producer of the server comes twice. */
const random = repeatableRandom(1);

export interface StageOptions extends Partial<Omit<HubOptions, 'clock' | 'store'>> {
  readonly endpoint?: EndpointOptions;
  readonly disk?: MemoryDisk;
  readonly outcomesMax?: number;
}

export class Stage {
  readonly clock: VirtualClock = new VirtualClock();
  readonly disk: MemoryDisk;
  /** What was reported to the operator. */
  readonly errors: unknown[] = [];
  readonly #options: StageOptions;
  store: ScriptedStore;
  hub: Hub;
  endpoint: Endpoint;

  constructor(options: StageOptions = {}) {
    this.#options = options;
    this.disk = options.disk ?? createMemoryDisk();
    this.store = this.#openStore();
    this.hub = this.#openHub();
    this.endpoint = new Endpoint(options.endpoint);
  }

  /** The process dies and another one begins on the same disk. Connections are gone without a word. */
  restart(): void {
    this.store = this.#openStore();
    this.hub = this.#openHub();
  }

  /** A connected client that has said its hello. Settle the clock to see it welcomed. */
  connect(hello: Partial<Omit<Hello, 'type'>> = {}, endpoint: Endpoint = this.endpoint): StageClient {
    const client = this.open(endpoint);
    client.hello({ client: 'tab', token: 'alice', ...hello });
    return client;
  }

  /** A welcomed client whose first messages are taken. */
  async join(hello: Partial<Omit<Hello, 'type'>> = {}, endpoint: Endpoint = this.endpoint): Promise<StageClient> {
    const client = this.connect(hello, endpoint);
    await this.clock.settle();
    client.take();
    return client;
  }

  /** A socket that has said nothing. */
  open(endpoint: Endpoint = this.endpoint, isProtocol = true): StageClient {
    const socket = new MemorySocket();
    const client = new StageClient(socket);
    this.hub.accept(socket, { endpoint, address: '127.0.0.1', headers: {}, url: '/', protocols: [], isProtocol });
    return client;
  }

  #openStore(): ScriptedStore {
    const { outcomesMax } = this.#options;
    return new ScriptedStore({ disk: this.disk, ...(outcomesMax === undefined ? {} : { outcomesMax }) });
  }

  #openHub(): Hub {
    const { endpoint: _endpoint, disk: _disk, outcomesMax: _outcomesMax, ...options } = this.#options;
    return createHub({
      maintainIntervalMs: 0,
      onError: (error) => this.errors.push(error),
      random,
      ...options,
      store: this.store,
      clock: this.clock,
    });
  }
}

/** A client by hand. Legal messages go through its session machine, anything else through `raw`. */
export class StageClient {
  readonly socket: MemorySocket;
  readonly session: ClientSession = new ClientSession();
  /** What came and was not taken. */
  readonly inbox: ServerMessage[] = [];

  constructor(socket: MemorySocket) {
    this.socket = socket;
    socket.onSend = (frame) => {
      const message = this.session.receive(frame);
      if (message !== undefined) this.inbox.push(message);
    };
  }

  get closed(): { readonly code: number; readonly reason: string } | undefined {
    return this.socket.closed;
  }

  hello(hello: Omit<Hello, 'type'>): void {
    this.raw(this.session.hello({ type: 'hello', ...hello }));
  }

  send(message: Exclude<ClientMessage, Hello>): void {
    this.raw(this.session.send(message));
  }

  /** A publish of one payload by the producer `p`. */
  publish(
    topic: string,
    seq: number,
    data: string,
    more: { readonly producer?: string; readonly epoch?: string; readonly ifHead?: number } = {},
  ): void {
    this.send({ type: 'publish', topic, producer: 'p', seq, items: [data], ...more });
  }

  raw(frame: string | Uint8Array): void {
    this.socket.receive(frame);
  }

  /** Takes out of the inbox what has one of these types, or everything. */
  take<Type extends ServerMessage['type']>(...types: Type[]): Extract<ServerMessage, { readonly type: Type }>[] {
    const isWanted = (message: ServerMessage): boolean => types.length === 0 || types.includes(message.type as Type);
    const taken = this.inbox.filter(isWanted);
    const left = this.inbox.filter((message) => !isWanted(message));
    this.inbox.splice(0, Infinity, ...left);
    return taken as Extract<ServerMessage, { readonly type: Type }>[];
  }
}
