/**
 * The sockets of a server: which upgrades a hub takes, on whose behalf, and each accepted socket as the hub's port. `ws`
 * does the handshake, reading and control frames; the only file of this package that knows a socket library (RFC 6455;
 * PROTOCOL.md HF-2). What concerns the whole server is in `listen.ts`.
 */

import { STATUS_CODES, type IncomingMessage, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { HoldfastError } from '@holdfast/wire';
import { WebSocketServer, type RawData, type ServerOptions, type WebSocket } from 'ws';
import { clientAddress, parseTrustedProxies } from './client-address.ts';
import { Endpoint, type EndpointOptions } from './endpoint.ts';
import type { Hub } from './hub.ts';
import { parseOrigins } from './origin.ts';
import { Outflow, type Outlet } from './outflow.ts';
import type { Frame, SharedRun } from './shared-frame.ts';
import type { Socket, SocketListener } from './socket.ts';
import { UpgradeQueue } from './upgrade-queue.ts';

/** HF-2.1. */
export const SUBPROTOCOL = 'holdfast.v1';

export interface AttachOptions {
  readonly hub: Hub;
  /** What each path allows. Default: `{ '/': {} }`, everything for everybody: for development. */
  readonly paths?: Readonly<Record<string, EndpointOptions>>;
  /**
   * Whose pages may connect, besides those of the host itself, those of this machine to this machine, and what is no browser:
   * `https://app.example.com`, `https://*.example.com`, `capacitor://localhost`, `null`; or `'any'`. Default: none. Others
   * are told `ORIGIN_REFUSED` and closed with 4002.
   */
  readonly origins?: readonly string[] | 'any';
  /**
   * Proxies whose `X-Forwarded-For`, `-Host` and `-Proto` count: addresses, networks such as `10.0.0.0/8`, and `loopback`.
   * Default: none.
   */
  readonly trustedProxies?: readonly string[];
}

/** A hub that takes upgrades from an HTTP server. */
export interface Attachment {
  /** Stops taking upgrades. Connections go on; `hub.close()` ends them. Idempotent. */
  detach(): void;
}

/** How often the operating system asks an idle peer whether it is there, ms: a plain client need never answer anything else. */
const KEEP_ALIVE_MS = 30_000;
/** How long the closing handshake of one socket may take, ms: the hub has let go of it, and counts it no more. */
const CLOSE_TIMEOUT_MS = 5_000;

/**
 * In how many pieces one message may come: fragments, and chunks of the network. So many that each holds this much of the
 * largest frame, bytes, or `PIECES_MIN`. Each piece costs some hundred bytes of memory, whatever is in it.
 */
const PIECE_BYTES = 256;
const PIECES_MIN = 1_024;
/** Pongs that the network has not taken; one more ping, and the peer is dropped: it asks and does not read. */
const PONGS_MAX = 60;

/** The upgrade listeners of this module by server, and the paths that each of them serves. */
const attachments = new WeakMap<Server, Map<(...args: never[]) => void, ReadonlySet<string>>>();

/**
 * Lets a hub take the upgrades of an existing HTTP or HTTPS server on the given paths. Other upgrades are left to the
 * server's other listeners; where there is none, they are refused with 404 (HF-2.2). When the hub has no room, with 503.
 * Throws `USAGE` for a path that does not begin with `/`, or that another hub serves there, and for what is no origin or
 * proxy.
 */
export function attach(server: Server, { hub, paths = { '/': {} }, origins = [], trustedProxies = [] }: AttachOptions): Attachment {
  const endpoints = new Map(Object.entries(paths).map(([path, options]) => [path, new Endpoint(options)]));
  const others = attachments.get(server) ?? new Map<(...args: never[]) => void, ReadonlySet<string>>();
  for (const path of endpoints.keys()) assertFree(path, others.values());
  const proxies = parseTrustedProxies(trustedProxies);
  const originRefusal = parseOrigins(origins, proxies);
  const acceptor = createAcceptor(hub.services.limits.frameBytesMax);
  const queue = new UpgradeQueue();
  const onUpgrade = (request: IncomingMessage, stream: Duplex, head: Buffer): void => {
    if (!asksForWebSocket(request) && isLast(server, onUpgrade)) return serveWithoutUpgrade(server, request, stream, head);
    const endpoint = endpoints.get(pathOf(request));
    if (endpoint === undefined) {
      if (isLastOfAll(server, onUpgrade, pathOf(request))) refuse(stream, 404, { 'Content-Type': 'text/plain' }, NOT_FOUND_BODY);
      return;
    }
    const address = clientAddress(request, proxies);
    // The one refusal that comes before the handshake: it must cost less than accepting would.
    const overload = hub.admit(address, queue.length);
    if (overload !== undefined) return refuseAdmission(stream, overload);
    queue.add(stream, () => upgrade(endpoint, address, request, stream, head));
  };
  const upgrade = (endpoint: Endpoint, address: string, request: IncomingMessage, stream: Duplex, head: Buffer): void => {
    request.socket.setKeepAlive(true, KEEP_ALIVE_MS);
    acceptor.handleUpgrade(request, stream, head, (socket) => {
      const refusal = originRefusal(request);
      hub.accept(new WsSocket(socket, stream), {
        endpoint,
        address,
        headers: request.headers,
        url: request.url ?? '/',
        protocols: offeredOf(request),
        isProtocol: socket.protocol === SUBPROTOCOL,
        ...(refusal === undefined ? {} : { refusal }),
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
  };
}

function createAcceptor(frameBytesMax: number): WebSocketServer {
  const piecesMax = Math.max(PIECES_MIN, Math.ceil(frameBytesMax / PIECE_BYTES));
  const options: ServerOptions & { readonly closeTimeout: number; readonly maxPendingAutoPongs: number } = {
    noServer: true,
    clientTracking: false,
    maxPayload: frameBytesMax,
    maxFragments: piecesMax,
    maxBufferedChunks: piecesMax,
    maxPendingAutoPongs: PONGS_MAX,
    closeTimeout: CLOSE_TIMEOUT_MS,
    perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
  };
  return new WebSocketServer(options);
}

function assertFree(path: string, taken: Iterable<ReadonlySet<string>>): void {
  if (!path.startsWith('/')) throw new HoldfastError('USAGE', `the path "${path}" must begin with "/"`);
  for (const paths of taken)
    if (paths.has(path)) throw new HoldfastError('USAGE', `the path "${path}" of this server is taken by another hub`);
}

/** Whether all listeners are of this module, and this is the last of them. */
function isLast(server: Server, listener: (...args: never[]) => void): boolean {
  const ours = attachments.get(server);
  return ours !== undefined && server.listenerCount('upgrade') <= ours.size && [...ours.keys()].at(-1) === listener;
}

/** Whether nobody else can answer an upgrade of this path: nobody serves it, and this is the last. */
function isLastOfAll(server: Server, listener: (...args: never[]) => void, path: string): boolean {
  return isLast(server, listener) && [...(attachments.get(server)?.values() ?? [])].every((paths) => !paths.has(path));
}

/** Whether a request asks for a WebSocket, and not for another protocol: for the HTTP servers that let one say so. */
export function asksForWebSocket({ headers }: IncomingMessage): boolean {
  return (headers.upgrade ?? '')
    .toLowerCase()
    .split(',')
    .some((name) => name.trim() === 'websocket');
}

/** Of the connection alone, and of an upgrade that does not take place. */
const HOP_HEADERS = new Set(['connection', 'upgrade', 'http2-settings']);

/**
 * Answers a request that would rather speak something else, such as `Upgrade: h2c` of Java's and curl's clients, as if it had not
 * said so: RFC 9110 section 7.8 lets a server ignore it. Node has let go of the stream by now, with the body still to come, so
 * that the request is put before it once more, and read anew; the connection ends with its answer. A newer Node asks before
 * (`listen` answers it), and reads the body by itself: it is not to be had any more then.
 */
function serveWithoutUpgrade(server: Server, request: IncomingMessage, stream: Duplex, head: Buffer): void {
  const { method, url, rawHeaders, headers } = request;
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  if ('shouldUpgradeCallback' in server && hasBody) return refuse(stream, 400, { 'Content-Type': 'text/plain' }, NO_UPGRADE_BODY);
  const lines = [`${method} ${url} HTTP/1.1`, 'Connection: close'];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (!HOP_HEADERS.has(rawHeaders[at]!.toLowerCase())) lines.push(`${rawHeaders[at]}: ${rawHeaders[at + 1]}`);
  }
  stream.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]));
  server.emit('encrypted' in stream ? 'secureConnection' : 'connection', stream);
}

function pathOf({ url = '/' }: IncomingMessage): string {
  const end = url.indexOf('?');
  return end === -1 ? url : url.slice(0, end);
}

function offeredOf({ headers }: IncomingMessage): string[] {
  return (headers['sec-websocket-protocol'] ?? '').split(',').flatMap((name) => (name.trim() === '' ? [] : [name.trim()]));
}

const NO_UPGRADE_BODY = 'ask without the Upgrade header.\r\n';
const NOT_FOUND_BODY = 'no WebSocket endpoint here.\r\n';

function refuseAdmission(stream: Duplex, { code, message, hint, retryAfterMs = 1_000 }: HoldfastError): void {
  const retryAfter = String(Math.max(1, Math.ceil(retryAfterMs / 1_000)));
  const headers = { 'Content-Type': 'application/json', 'Retry-After': retryAfter };
  refuse(stream, 503, headers, `${JSON.stringify({ code, message, hint })}\n`);
}

function refuse(stream: Duplex, status: number, headers: Readonly<Record<string, string>>, body: string): void {
  // The HTTP server has let go of the socket: an error without a listener would end the process.
  stream.on('error', () => {});
  const all = Object.entries({ Connection: 'close', ...headers, 'Content-Length': String(Buffer.byteLength(body)) });
  const head = [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...all.map(([name, value]) => `${name}: ${value}`)];
  stream.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => stream.destroy());
}

/** RFC 6455 section 7.4.1. */
const TOO_LARGE = 1009;
const INVALID_PAYLOAD = 1007;
const POLICY_VIOLATION = 1008;
const PROTOCOL_ERROR = 1002;

/** RFC 6455 section 5.2: a small frame's head, with its mask. */
const CONTROL_HEAD_BYTES = 6;

/** Whose socket or stream it is: a property instead of a closure for each event, since there are many of them. */
const OWNER = Symbol('owner');
interface Owned {
  [OWNER]?: WsSocket;
}

/** One `ws` socket as the hub's port: `ws` reads, and writes control frames; the hub's own frames go through the outflow. */
class WsSocket implements Socket, Outlet {
  readonly stream: Duplex;
  readonly #socket: WebSocket;
  readonly #outflow: Outflow;
  #listener: SocketListener | undefined;
  #onData: ((chunk: Buffer) => void) | undefined;

  constructor(socket: WebSocket, stream: Duplex) {
    this.#socket = socket;
    this.stream = stream;
    this.#outflow = new Outflow(this);
  }

  get isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN;
  }

  /** What the stream holds counts only above its own mark: below it, it does not tell when it has drained. */
  get bufferedBytes(): number {
    return this.#outflow.bytes + (this.stream.writableNeedDrain ? this.stream.writableLength : 0);
  }

  send(frame: Frame): void {
    if (this.isOpen) this.#outflow.push(frame);
  }

  sendRun(run: SharedRun): void {
    if (this.isOpen) this.#outflow.pushRun(run);
  }

  close(code: number, reason: string): void {
    this.#outflow.flush();
    this.#socket.close(code, reason);
  }

  terminate(): void {
    this.#outflow.drop();
    this.#socket.terminate();
  }

  limitArrival(bytesMax: number | undefined): void {
    if (this.#onData !== undefined) this.stream.off('data', this.#onData);
    this.#onData = undefined;
    if (bytesMax === undefined) return;
    let bytes = 0;
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length;
      // Lifted by what this very chunk said, it is called once more.
      if (bytes > bytesMax && this.#onData === onData) this.#cutOff();
    };
    this.#onData = onData;
    // What came with the upgrade is read as the first chunk.
    this.stream.on('data', onData);
  }

  listen(listener: SocketListener): void {
    this.#listener = listener;
    (this.#socket as Owned)[OWNER] = (this.stream as Owned)[OWNER] = this;
    this.#socket.on('message', onMessage).on('ping', onControl).on('pong', onControl).on('error', onBreach).on('close', onClose);
    this.stream.on('drain', onDrain);
  }

  onFrame(bytes: Buffer, isBinary: boolean): void {
    this.#listener?.onFrame(isBinary ? bytes : bytes.toString('utf8'));
  }

  onControl(payload: Buffer): void {
    this.#listener?.onControl?.(CONTROL_HEAD_BYTES + payload.length);
  }

  onFlushed(): void {
    this.#listener?.onDrain();
  }

  /** A breach of RFC 6455, which `ws` answers with its close code by itself. For the hub the connection is over. */
  onBreach(code: string | undefined): void {
    if (code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') this.onClose(TOO_LARGE, '');
    else if (code === 'WS_ERR_INVALID_UTF8') this.onClose(INVALID_PAYLOAD, '');
    else if (code === 'WS_ERR_TOO_MANY_BUFFERED_PARTS') this.onClose(POLICY_VIOLATION, '');
    else if (code?.startsWith('WS_ERR') === true) this.onClose(PROTOCOL_ERROR, '');
  }

  onClose(code: number, reason: string): void {
    const listener = this.#listener;
    this.#listener = undefined;
    this.#outflow.drop();
    listener?.onClose(code, reason);
  }

  /** Says why, then hears no more: what still comes is read and thrown away, so that the word arrives (a reset would overtake it). */
  #cutOff(): void {
    this.limitArrival(undefined);
    this.close(TOO_LARGE, 'TOO_LARGE');
    this.stream.removeAllListeners('data');
    this.stream.resume();
    this.stream.end();
    this.onClose(TOO_LARGE, 'TOO_LARGE');
  }
}

function onMessage(this: WebSocket & Owned, data: RawData, isBinary: boolean): void {
  this[OWNER]?.onFrame(data as Buffer, isBinary);
}

function onControl(this: WebSocket & Owned, payload: Buffer): void {
  this[OWNER]?.onControl(payload);
}

function onBreach(this: WebSocket & Owned, error: NodeJS.ErrnoException): void {
  this[OWNER]?.onBreach(error.code);
}

function onClose(this: WebSocket & Owned, code: number, reason: Buffer): void {
  this[OWNER]?.onClose(code, reason.toString());
}

function onDrain(this: Owned): void {
  this[OWNER]?.onFlushed();
}
