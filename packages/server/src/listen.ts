/**
 * A server of its own: HTTP or HTTPS, upgrades, a hub. What stands on the internet must be encrypted, must not wait for who
 * says nothing, and must end when it is told to; this file sees to these three, `attach` to the sockets.
 */

import { lookup } from 'node:dns/promises';
import { createServer, type RequestListener, type Server, type ServerOptions } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { isIP, type AddressInfo, type Socket } from 'node:net';
import { HoldfastError } from '@holdfast/wire';
import { isLoopbackAddress } from './client-address.ts';
import { systemClock } from './clock.ts';
import { oneByOne } from './request-line.ts';
import { TlsFiles, type TlsOptions, type TlsStatus } from './tls.ts';
import { asksForWebSocket, attach, type AttachOptions } from './websocket.ts';

export interface ListenOptions extends AttachOptions {
  /** Default 8080; 0 takes any free one. */
  readonly port?: number;
  /**
   * An address, or a name that resolves to one. Default `127.0.0.1`: this machine only. Any other needs `tls`, `behindProxy`
   * or `insecure`: without one of them `USAGE`.
   */
  readonly host?: string;
  /** Serves `wss://` and `https://`, TLS 1.2 or newer. Default: `ws://`. */
  readonly tls?: TlsOptions;
  /** Who connects is a reverse proxy that speaks TLS to the clients. `trustedProxies` are then `['loopback']` by default. */
  readonly behindProxy?: boolean;
  /** Serves unencrypted on any address: for a network that is trusted. */
  readonly insecure?: boolean;
  /** TCP connections at a time, of all kinds; what is more is dropped without an answer. Default: no bound but the hub's own. */
  readonly connectionsMax?: number;
  /** Answers plain HTTP requests. Default: 404. */
  readonly request?: RequestListener;
}

export interface HoldfastServer {
  /** Such as `ws://127.0.0.1:8080` or `wss://...`; append a path. */
  readonly url: string;
  readonly port: number;
  /** With `tls` it is an `https.Server`. */
  readonly http: Server;
  /** The certificate that new connections get now; `undefined` without TLS. */
  readonly tls: TlsStatus | undefined;
  /**
   * Reads the files of `tls` now; connections that stand go on. Rejects with `USAGE` if they cannot be used, and then serves
   * the old ones on; or if there is no `tls`.
   */
  reloadTls(): Promise<void>;
  /** Closes the hub (with `goaway`), then the HTTP server. Idempotent. */
  close(): Promise<void>;
}

/** How long a request's headers may take, from the connection or the request before; the whole of a request; a TLS handshake, ms. */
const HEADERS_MS = 10_000;
const REQUEST_MS = 60_000;
const HANDSHAKE_MS = 10_000;
/** How long a connection of plain HTTP may stand still, such as one whose client does not read its answer, ms. Sockets have heartbeats. */
const STILL_MS = 60_000;
/** How often the first two are looked at, ms. */
const CHECK_MS = 2_000;
const HEADER_BYTES_MAX = 16_384;
/**
 * Connections that the system may hold until they are taken over; on Linux `net.core.somaxconn` bounds it too. With Node's 511 it drops most of
 * a herd, and those try again after 1, 3 and 7 s.
 */
const BACKLOG = 16_384;
/** How long a closing handshake may take when the server itself closes, ms. */
const CLOSING_MS = 1_000;

/**
 * Starts one. Rejects with the operating system's error, such as `EADDRINUSE`, and with `USAGE` for a plain server that
 * others than this machine could reach, for a `tls` that cannot be used, or for what `attach` refuses.
 */
export async function listen(options: ListenOptions): Promise<HoldfastServer> {
  const { hub, port = 8080, host = '127.0.0.1', behindProxy = false, insecure = false } = options;
  const address = await resolve(host);
  if (options.tls === undefined && !behindProxy && !insecure && !isLoopbackAddress(address)) throw plainRefusal(host);
  const tls = options.tls === undefined ? undefined : await TlsFiles.open(options.tls, systemClock);
  const http = createHttp(options, tls);
  const sockets = socketsOf(http);
  const attachment = attach(http, { ...options, trustedProxies: options.trustedProxies ?? (behindProxy ? ['loopback'] : []) });
  await begin(http, port, address);
  // `tls.createServer` made it, so that it has this method.
  tls?.watch((context) => (http as ReturnType<typeof createTlsServer>).setSecureContext(context));
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    attachment.detach();
    tls?.close();
    await hub.close();
    const closed = new Promise<void>((resolved) => http.close(() => resolved()));
    http.closeAllConnections();
    // Who does not answer the closing handshake, or never ended that of TLS, is not waited for.
    const timer = systemClock.setTimeout(() => sockets.forEach((socket) => socket.destroy()), CLOSING_MS);
    await closed;
    systemClock.clearTimeout(timer);
  };
  const bound = http.address() as AddressInfo;
  const name = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address;
  return {
    url: `${tls === undefined ? 'ws' : 'wss'}://${name}:${bound.port}`,
    port: bound.port,
    http,
    tls,
    reloadTls: () => tls?.reload() ?? Promise.reject(new HoldfastError('USAGE', 'this server has no TLS to reload')),
    close: () => (closing ??= close()),
  };
}

/** The address that will be listened on: looked up once, so that what was examined is what is opened. */
async function resolve(host: string): Promise<string> {
  if (isIP(host) !== 0 || host === '') return host;
  return (await lookup(host)).address;
}

function plainRefusal(host: string): HoldfastError {
  const message = `plain ws:// on "${host}" could be read and changed by anybody on the way`;
  const hint =
    'Give tls: { key, cert }; or behindProxy: true where a proxy in front speaks TLS; or insecure: true on a network that you trust.';
  return new HoldfastError('USAGE', message, { hint });
}

function createHttp({ request = notFound, connectionsMax }: ListenOptions, tls: TlsFiles | undefined): Server {
  // What asks for another protocol is a request like any other; a Node that does not know the option leaves it to `attach`.
  const options: ServerOptions & { readonly shouldUpgradeCallback: typeof asksForWebSocket } = {
    shouldUpgradeCallback: asksForWebSocket,
    headersTimeout: HEADERS_MS,
    requestTimeout: REQUEST_MS,
    connectionsCheckingInterval: CHECK_MS,
    maxHeaderSize: HEADER_BYTES_MAX,
    keepAlive: true,
  };
  // What is no HTTP is answered by Node itself with 400 (408 when late, 431 when too large), and the connection destroyed.
  const http =
    tls === undefined
      ? createServer(options, oneByOne(request, STILL_MS))
      : createTlsServer({ ...options, ...tls.context, handshakeTimeout: HANDSHAKE_MS }, oneByOne(request, STILL_MS));
  if (connectionsMax !== undefined) http.maxConnections = connectionsMax;
  return http;
}

/** The connections of a server as long as they stand, whatever became of them. */
function socketsOf(http: Server): ReadonlySet<Socket> {
  const sockets = new Set<Socket>();
  function forget(this: Socket): void {
    sockets.delete(this);
  }
  // One function for all of them, and no `once`, which makes three objects for each.
  // A socket may come twice: when an upgrade did not take place, and its request is read anew.
  http.on('connection', (socket) => sockets.has(socket) || (sockets.add(socket) && socket.on('close', forget)));
  return sockets;
}

function begin(http: Server, port: number, address: string): Promise<void> {
  return new Promise<void>((resolved, reject) => {
    http.once('error', reject);
    http.listen(port, address, BACKLOG, () => {
      http.off('error', reject);
      resolved();
    });
  });
}

const notFound: RequestListener = (_request, response) => {
  response.writeHead(404, { 'content-type': 'text/plain' });
  response.end('This is a Holdfast server; connect with a WebSocket.\n');
};
