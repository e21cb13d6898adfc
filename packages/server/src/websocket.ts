/**
 * The socket and HTTP adapter: `ws` for the handshake, reading and control frames. The only file of this package that
 * knows a socket library (RFC 6455; PROTOCOL.md HF-2).
 */

import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { HoldfastError } from '@holdfast/wire';
import { WebSocketServer, type RawData, type WebSocket } from 'ws';
import { systemClock } from './clock.ts';
import { Endpoint, type EndpointOptions } from './endpoint.ts';
import type { Hub } from './hub.ts';
import type { Socket, SocketListener } from './socket.ts';

/** HF-2.1. */
export const SUBPROTOCOL = 'holdfast.v1';

export interface AttachOptions {
  readonly hub: Hub;
  /** What each path allows. Default: `{ '/': {} }`, everything for everybody: for development. */
  readonly paths?: Readonly<Record<string, EndpointOptions>>;
}

/** A hub that takes upgrades from an HTTP server. */
export interface Attachment {
  /** Stops taking upgrades. Connections go on; `hub.close()` ends them. Idempotent. */
  detach(): void;
}

/** How often the operating system asks an idle peer whether it is there, ms: a plain client need never answer anything else. */
const KEEP_ALIVE_MS = 30_000;
/** How long a closing handshake may take when the server itself closes, ms. */
const CLOSING_MS = 1_000;

/** The upgrade listeners of this module by server, and the paths that each of them serves. */
const attachments = new WeakMap<Server, Map<(...args: never[]) => void, ReadonlySet<string>>>();

/**
 * Lets a hub take the upgrades of an existing HTTP or HTTPS server on the given paths. Other upgrades are left to the
 * server's other listeners; where there is none, they are refused with 404 (HF-2.2). Throws `USAGE` for a path that does
 * not begin with `/`, or that another hub serves there.
 */
export function attach(server: Server, options: AttachOptions): Attachment {
  const attachment = attachSockets(server, options);
  return { detach: () => attachment.detach() };
}

interface SocketAttachment extends Attachment {
  /** Drops every socket that is still there. */
  terminate(): void;
}

function attachSockets(server: Server, { hub, paths = { '/': {} } }: AttachOptions): SocketAttachment {
  const endpoints = new Map(Object.entries(paths).map(([path, options]) => [path, new Endpoint(options)]));
  const others = attachments.get(server) ?? new Map<(...args: never[]) => void, ReadonlySet<string>>();
  for (const path of endpoints.keys()) assertFree(path, others.values());
  const acceptor = new WebSocketServer({
    noServer: true,
    maxPayload: hub.services.limits.frameBytesMax,
    perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
  });
  const onUpgrade = (request: IncomingMessage, stream: Duplex, head: Buffer): void => {
    const endpoint = endpoints.get(pathOf(request));
    if (endpoint === undefined) {
      if (isLastOfAll(server, onUpgrade, pathOf(request))) refuse(stream);
      return;
    }
    request.socket.setKeepAlive(true, KEEP_ALIVE_MS);
    acceptor.handleUpgrade(request, stream, head, (socket) => {
      const address = request.socket.remoteAddress ?? '';
      hub.accept(new WsSocket(socket, stream), {
        endpoint,
        address,
        headers: request.headers,
        url: request.url ?? '/',
        protocols: offeredOf(request),
        isProtocol: socket.protocol === SUBPROTOCOL,
      });
    });
  };
  attachments.set(server, others.set(onUpgrade, new Set(endpoints.keys())));
  server.on('upgrade', onUpgrade);
  return {
    detach: () => {
      server.off('upgrade', onUpgrade);
      others.delete(onUpgrade);
    },
    terminate: () => {
      for (const socket of acceptor.clients) socket.terminate();
    },
  };
}

function assertFree(path: string, taken: Iterable<ReadonlySet<string>>): void {
  if (!path.startsWith('/')) throw new HoldfastError('USAGE', `the path "${path}" must begin with "/"`);
  for (const paths of taken)
    if (paths.has(path)) throw new HoldfastError('USAGE', `the path "${path}" of this server is taken by another hub`);
}

/** Whether nobody else can answer an upgrade of this path: all listeners are of this module, none serves it, and this is the last. */
function isLastOfAll(server: Server, listener: (...args: never[]) => void, path: string): boolean {
  const ours = attachments.get(server);
  if (ours === undefined || server.listenerCount('upgrade') > ours.size) return false;
  return [...ours.values()].every((paths) => !paths.has(path)) && [...ours.keys()].at(-1) === listener;
}

export interface ListenOptions extends AttachOptions {
  /** Default 8080; 0 takes any free one. */
  readonly port?: number;
  /** Default `127.0.0.1`: this machine only. */
  readonly host?: string;
  /** Answers plain HTTP requests. Default: 404. */
  readonly request?: RequestListener;
}

export interface HoldfastServer {
  /** Such as `ws://127.0.0.1:8080`; append a path. */
  readonly url: string;
  readonly port: number;
  readonly http: Server;
  /** Closes the hub (with `goaway`), then the HTTP server. Idempotent. */
  close(): Promise<void>;
}

/** A server of its own: HTTP, upgrades, a hub. Rejects with the operating system's error, such as `EADDRINUSE`. */
export async function listen(options: ListenOptions): Promise<HoldfastServer> {
  const { hub, port = 8080, host = '127.0.0.1', request = notFound } = options;
  const http = createServer(request);
  const attachment = attachSockets(http, options);
  await new Promise<void>((resolve, reject) => {
    http.once('error', reject);
    http.listen(port, host, () => {
      http.off('error', reject);
      resolve();
    });
  });
  const address = http.address() as AddressInfo;
  const name = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    attachment.detach();
    await hub.close();
    const closed = new Promise<void>((resolve) => http.close(() => resolve()));
    http.closeAllConnections();
    // A peer that does not answer the closing handshake is not waited for.
    const timer = systemClock.setTimeout(() => attachment.terminate(), CLOSING_MS);
    await closed;
    systemClock.clearTimeout(timer);
  };
  return { url: `ws://${name}:${address.port}`, port: address.port, http, close: () => (closing ??= close()) };
}

function pathOf({ url = '/' }: IncomingMessage): string {
  const end = url.indexOf('?');
  return end === -1 ? url : url.slice(0, end);
}

function offeredOf({ headers }: IncomingMessage): string[] {
  return (headers['sec-websocket-protocol'] ?? '').split(',').flatMap((name) => (name.trim() === '' ? [] : [name.trim()]));
}

const NOT_FOUND_BODY = 'no WebSocket endpoint here.\r\n';

function refuse(stream: Duplex): void {
  // The HTTP server has let go of the socket: an error without a listener would end the process.
  stream.on('error', () => {});
  const head = ['HTTP/1.1 404 Not Found', 'Connection: close', 'Content-Type: text/plain', `Content-Length: ${NOT_FOUND_BODY.length}`];
  stream.end(`${head.join('\r\n')}\r\n\r\n${NOT_FOUND_BODY}`, () => stream.destroy());
}

const notFound: RequestListener = (_request, response) => {
  response.writeHead(404, { 'content-type': 'text/plain' });
  response.end('This is a Holdfast server; connect with a WebSocket.\n');
};

/** The last text sent by anybody, as bytes: a fan-out sends one text to many, and encodes it once. */
let lastText = '';
let lastBytes: Buffer = Buffer.alloc(0);

function bytesOf(text: string): Buffer {
  if (text !== lastText) {
    lastText = text;
    lastBytes = Buffer.from(text);
  }
  return lastBytes;
}

/** One `ws` socket as the hub's port. */
class WsSocket implements Socket {
  readonly #socket: WebSocket;
  readonly #stream: Duplex;
  #onData: ((chunk: Buffer) => void) | undefined;

  constructor(socket: WebSocket, stream: Duplex) {
    this.#socket = socket;
    this.#stream = stream;
  }

  /** 0 below the stream's own mark, beyond which alone it tells when it has drained. */
  get bufferedBytes(): number {
    return this.#stream.writableNeedDrain ? this.#socket.bufferedAmount : 0;
  }

  send(frame: string | Uint8Array): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (typeof frame === 'string') this.#socket.send(bytesOf(frame), { binary: false });
    else this.#socket.send(frame, { binary: true });
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
  }

  terminate(): void {
    this.#socket.terminate();
  }

  limitArrival(bytesMax: number | undefined): void {
    if (this.#onData !== undefined) this.#stream.off('data', this.#onData);
    this.#onData = undefined;
    if (bytesMax === undefined) return;
    let bytes = 0;
    this.#onData = (chunk) => {
      bytes += chunk.length;
      if (bytes > bytesMax) this.close(1009, 'TOO_LARGE');
    };
    this.#stream.on('data', this.#onData);
  }

  listen(listener: SocketListener): void {
    this.#socket.on('message', (data: RawData, isBinary: boolean) => {
      const bytes = data as Buffer;
      listener.onFrame(isBinary ? bytes : bytes.toString('utf8'));
    });
    this.#stream.on('drain', () => listener.onDrain());
    // `ws` answers a breach with the right close code by itself (1002, 1007, 1009), and then closes.
    this.#socket.on('error', () => {});
    this.#socket.on('close', (code: number, reason: Buffer) => listener.onClose(code, reason.toString()));
  }
}
