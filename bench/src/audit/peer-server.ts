/**
 * The servers of the others, each as its documentation begins, in a process of its own: Socket.IO with and without its
 * connection state recovery, and `ws`. This file is both ends: run as a program it is the server, which broadcasts what its
 * parent hands it; imported it starts that program.
 */

import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pathToFileURL } from 'node:url';
import { Server } from 'socket.io';
import { WebSocket, WebSocketServer } from 'ws';
import { programOf } from './child-program.ts';
import type { AuditServer, Publisher, PublisherAccount } from './contender.ts';
import { broadcastOf } from './holdfast.ts';
import { instantMs } from './instant.ts';

export type PeerKind = 'socket.io' | 'socket.io-recovery' | 'ws';

export const BROADCAST_EVENT = 'broadcast';
/** As in the documentation of Socket.IO. */
const RECOVERY = { connectionStateRecovery: { maxDisconnectionDuration: 120_000, skipMiddlewares: true } };
/** "The server goes away and comes again" (RFC 6455 section 7.4.1, IANA 1012). */
const SERVICE_RESTART = 1012;

type Told = { readonly port: number } | { readonly broadcast: number };

export class PeerServer implements AuditServer, Publisher {
  readonly #kind: PeerKind;
  #port = 0;
  #isUp = false;
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();
  /** What came due while it was down. */
  #waiting: number[] = [];
  readonly #publishedAtMs = new Map<number, number>();
  readonly failed: Promise<never>;
  #fail!: (error: Error) => void;

  constructor(kind: PeerKind) {
    this.#kind = kind;
    this.failed = new Promise((_resolve, reject) => (this.#fail = reject));
    this.failed.catch(() => {});
  }

  get port(): number {
    return this.#port;
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  async start(): Promise<void> {
    const child = fork(programOf(import.meta.url), [this.#kind, String(this.#port)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      execArgv: [],
    });
    this.#child = child;
    this.#exited = new Promise((resolve) => {
      child.once('exit', (code) => {
        if (this.#child === child && this.#isUp) this.#fail(new Error(`the server ended by itself, with exit code ${code}`));
        this.#isUp = false;
        resolve();
      });
    });
    const [told] = (await Promise.race([
      once(child, 'message'),
      this.#exited.then(() => {
        throw new Error('the server ended before it listened');
      }),
    ])) as [Told];
    if ('port' in told) this.#port = told.port;
    child.on('message', (message: Told) => {
      if ('broadcast' in message) this.#publishedAtMs.set(message.broadcast, instantMs());
    });
    this.#isUp = true;
    for (const number of this.#waiting.splice(0)) this.publish(number);
  }

  async kill(): Promise<void> {
    this.#isUp = false;
    this.#child?.kill('SIGKILL');
    await this.#exited;
  }

  async stop(): Promise<void> {
    this.#isUp = false;
    this.#child?.kill('SIGTERM');
    await this.#exited;
  }

  /** Hands it over at once, or as soon as the server is up. */
  publish(number: number): void {
    if (this.#isUp) this.#child!.send({ broadcast: number } satisfies Told);
    else this.#waiting.push(number);
  }

  get isSettled(): boolean {
    return this.#waiting.length === 0;
  }

  finish(): Promise<PublisherAccount> {
    return Promise.resolve({ publishedAtMs: this.#publishedAtMs, acknowledgedLost: undefined });
  }
}

interface Serving {
  readonly port: number;
  broadcast(number: number): void;
  /** Ends what there is in order. */
  close(): void;
}

async function serveSocketIo(port: number, options: object): Promise<Serving> {
  const http = createServer();
  const server = new Server(http, { transports: ['websocket'], serveClient: false, ...options });
  http.listen(port, '127.0.0.1');
  await once(http, 'listening');
  return {
    port: (http.address() as AddressInfo).port,
    broadcast: (number) => void server.emit(BROADCAST_EVENT, broadcastOf(number)),
    close: () => void server.close(),
  };
}

async function serveWs(port: number): Promise<Serving> {
  const server = new WebSocketServer({ port, host: '127.0.0.1' });
  await once(server, 'listening');
  server.on('connection', (socket) => socket.on('error', () => {}));
  return {
    port: (server.address() as AddressInfo).port,
    broadcast: (number) => {
      const text = JSON.stringify(broadcastOf(number));
      for (const socket of server.clients) if (socket.readyState === WebSocket.OPEN) socket.send(text);
    },
    close: () => {
      for (const socket of server.clients) socket.close(SERVICE_RESTART);
      server.close();
    },
  };
}

async function serve(kind: PeerKind, port: number): Promise<void> {
  const serving = kind === 'ws' ? await serveWs(port) : await serveSocketIo(port, kind === 'socket.io' ? {} : RECOVERY);
  const tell = (told: Told): void => void process.send?.(told);
  process.on('message', (message: Told) => {
    if (!('broadcast' in message)) return;
    serving.broadcast(message.broadcast);
    tell(message);
  });
  let isEnding = false;
  // Its parent is gone: nobody would ever end it.
  process.once('disconnect', () => isEnding || process.exit());
  process.once('SIGTERM', () => {
    isEnding = true;
    serving.close();
    // What holds the process now is the connections that are closing.
    process.disconnect();
  });
  tell({ port: serving.port });
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href)
  await serve(process.argv[2] as PeerKind, Number(process.argv[3]));
