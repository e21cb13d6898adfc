/** A real server with the built page on it, which can be killed and started again, with its memory or without. */

import { existsSync, readFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import type { Socket } from 'node:net';
import { extname, join } from 'node:path';
import {
  createHub,
  createMemoryDisk,
  createMemoryStore,
  listen,
  type HoldfastServer,
  type MemoryDisk,
  type Question,
  type TopicRule,
  type TopicStore,
} from '@holdfast/server';

const TYPES: Readonly<Record<string, string>> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' };

/** Nobody may publish there. */
const READ_ONLY = 'chat/museum';

export class DemoServer {
  readonly #folder: string;
  readonly #sockets = new Set<Socket>();
  #disk: MemoryDisk = createMemoryDisk();
  #server: HoldfastServer | undefined;
  #port = 0;
  /** What ends the batches that hang. */
  readonly #stuck: (() => void)[] = [];
  /** Publishes that reached the server, resends included. */
  arrivedCount = 0;
  /** While set, the store takes batches and does not say what became of them. */
  isStoreStuck = false;

  constructor(folder: string) {
    this.#folder = folder;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/`;
  }

  /** Always at the same port. */
  async start(): Promise<void> {
    const count: NonNullable<TopicRule['beforePublish']> = () => {
      this.arrivedCount += 1;
    };
    const hub = createHub({ store: this.#store(), topics: [{ pattern: '*', beforePublish: count }], presenceGraceMs: 1_000 });
    const paths = { '/': { authorize: ({ action, topic }: Question) => action !== 'publish' || topic !== READ_ONLY } };
    this.#server = await listen({ hub, paths, port: this.#port, request: files(this.#folder) });
    this.#port = this.#server.port;
    this.#server.http.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  /** Without a word to anybody: every socket is reset. */
  async kill(): Promise<void> {
    for (const socket of this.#sockets) socket.resetAndDestroy();
    for (const end of this.#stuck.splice(0)) end();
    await this.#server?.close();
    this.#server = undefined;
  }

  /** What was stored is gone, and with it the epochs of its topics. */
  forget(): void {
    this.#disk = createMemoryDisk();
    this.isStoreStuck = false;
  }

  #store(): TopicStore {
    const store = createMemoryStore({ disk: this.#disk });
    const apply = store.apply.bind(store);
    store.apply = (batch) => (this.isStoreStuck ? this.#hang() : apply(batch));
    return store;
  }

  #hang(): Promise<void> {
    return new Promise((_resolve, reject) => this.#stuck.push(() => reject(new Error('killed'))));
  }
}

function files(folder: string): RequestListener {
  return (request, response) => {
    const path = (request.url ?? '/').split('?', 1)[0]!;
    const file = join(folder, path === '/' ? 'index.html' : path);
    if (!existsSync(file)) return void response.writeHead(404).end();
    response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream' }).end(readFileSync(file));
  };
}
