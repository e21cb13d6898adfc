/**
 * The HTTP upgrade by hand, over `node:net` or `node:tls`, so that everything that comes back is seen, also what is no HTTP
 * (RFC 6455 section 4.1). It says what was answered; what that means is the business of `doctor-answer.ts`.
 */

import { createHash, randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { codeOf } from './doctor-address.ts';
import { tlsOptions } from './doctor-tls.ts';
import type { Order, Route, World } from './doctor-world.ts';
import { version } from './version.ts';

export interface UpgradeRequest {
  readonly order: Order;
  readonly route: Route;
  readonly world: World;
  /** None: no offer. */
  readonly subprotocol: string | undefined;
  readonly origin: string | undefined;
  /** Offers compression, as browsers do. */
  readonly isCompressing?: boolean;
}

export interface HttpAnswer {
  readonly kind: 'http';
  readonly version: string;
  readonly status: number;
  readonly reason: string;
  /** In their order, as they were spelt. */
  readonly headers: readonly (readonly [string, string])[];
  /** Its beginning. */
  readonly body: string;
  /** What `Sec-WebSocket-Accept` has to be. */
  readonly acceptWanted: string;
}

export type UpgradeAnswer =
  | HttpAnswer
  /** It speaks, and it is not HTTP. */
  | { readonly kind: 'foreign'; readonly bytes: Buffer }
  /** It ended without an answer; `code` is the operating system's or that of TLS. */
  | { readonly kind: 'closed'; readonly code: string | undefined }
  | { readonly kind: 'silent' };

const HEAD_BYTES_MAX = 65_536;
const BODY_BYTES_MAX = 4_096;
/** How long is waited for more of a body, ms. */
const BODY_MS = 1_000;
/** RFC 6455 section 1.3. */
const ACCEPT_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** Values of a header, in their order. */
export function headerValues({ headers }: Pick<HttpAnswer, 'headers'>, wanted: string): readonly string[] {
  return headers.filter(([name]) => name.toLowerCase() === wanted.toLowerCase()).map(([, value]) => value);
}

/** Headers that both this upgrade and the connection after it send. */
export function identityHeaders({ target, token, isPlain }: Order): Readonly<Record<string, string>> {
  const { username, password } = target.url;
  const basic = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return {
    'User-Agent': `holdfast-doctor/${version}`,
    ...(basic === ':' ? {} : { Authorization: `Basic ${Buffer.from(basic).toString('base64')}` }),
    // A Holdfast server gets it in the first frame (HF-3.10).
    ...(isPlain && token !== undefined ? { Authorization: `Bearer ${token}` } : {}),
  };
}

/** Asks for an upgrade, and closes what comes of it. */
export async function requestUpgrade(request: UpgradeRequest): Promise<UpgradeAnswer> {
  const { order, route, world } = request;
  const key = randomBytes(16).toString('base64');
  const acceptWanted = createHash('sha1').update(`${key}${ACCEPT_GUID}`).digest('base64');
  const socket = order.target.isTls ? connectTls(tlsOptions(route, world)) : connect({ host: route.address, port: order.target.port });
  socket.write(headText(request, key));
  const answer = await readAnswer(socket, order.waitMs, acceptWanted);
  release(socket, answer.kind === 'http' && answer.status === 101);
  return answer;
}

function headText({ order, subprotocol, origin, isCompressing = false }: UpgradeRequest, key: string): string {
  const headers = {
    Host: order.target.url.host,
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': key,
    'Sec-WebSocket-Version': '13',
    ...(subprotocol === undefined ? {} : { 'Sec-WebSocket-Protocol': subprotocol }),
    ...(isCompressing ? { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' } : {}),
    ...(origin === undefined ? {} : { Origin: origin }),
    ...identityHeaders(order),
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return `GET ${order.target.resource} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`;
}

async function readAnswer(socket: Socket, waitMs: number, acceptWanted: string): Promise<UpgradeAnswer> {
  let bytes: Buffer = Buffer.alloc(0);
  let head: Head | undefined;
  let isLate = false;
  const late = (): void => {
    isLate = true;
    socket.destroy();
  };
  let timer = setTimeout(late, waitMs);
  let code: string | undefined;
  try {
    for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
      bytes = Buffer.concat([bytes, chunk as Buffer]);
      if (head === undefined) {
        if (!looksLikeHttp(bytes) || bytes.length > HEAD_BYTES_MAX) return { kind: 'foreign', bytes };
        head = parseHead(bytes);
        if (head === undefined) continue;
        clearTimeout(timer);
        timer = setTimeout(late, BODY_MS);
      }
      if (head.status === 101 || bytes.length - head.end >= Math.min(head.bodyBytes, BODY_BYTES_MAX)) break;
    }
  } catch (error) {
    code = codeOf(error);
  } finally {
    clearTimeout(timer);
  }
  if (head !== undefined) return { kind: 'http', ...head, body: bodyText(bytes.subarray(head.end), head), acceptWanted };
  if (bytes.length > 0) return { kind: 'foreign', bytes };
  return isLate ? { kind: 'silent' } : { kind: 'closed', code };
}

const HTTP = Buffer.from('HTTP/');

function looksLikeHttp(bytes: Buffer): boolean {
  const length = Math.min(bytes.length, HTTP.length);
  return bytes.subarray(0, length).equals(HTTP.subarray(0, length));
}

interface Head {
  readonly version: string;
  readonly status: number;
  readonly reason: string;
  readonly headers: readonly (readonly [string, string])[];
  /** Where the body begins. */
  readonly end: number;
  /** As announced; unknown is endless. */
  readonly bodyBytes: number;
}

/** `undefined` until it is there. Heads of 1xx before the answer are passed over. */
function parseHead(bytes: Buffer): Head | undefined {
  for (let begin = 0; ;) {
    const at = bytes.indexOf('\r\n\r\n', begin);
    if (at === -1) return undefined;
    const [first = '', ...lines] = bytes.subarray(begin, at).toString('latin1').split('\r\n');
    const [, httpVersion = '', status = '0', reason = ''] = /^HTTP\/(\S+) +(\d{3}) ?(.*)$/.exec(first) ?? [];
    begin = at + 4;
    if (status.startsWith('1') && status !== '101') continue;
    const headers = lines.flatMap((line) => {
      const [, name, value] = /^([^:\s]+)\s*:\s*(.*?)\s*$/.exec(line) ?? [];
      return name === undefined || value === undefined ? [] : [[name, value] as const];
    });
    const length = headerValues({ headers }, 'content-length')[0];
    const bodyBytes = length === undefined || !/^\d+$/.test(length) ? Number.POSITIVE_INFINITY : Number(length);
    return { version: httpVersion, status: Number(status), reason, headers, end: begin, bodyBytes };
  }
}

function bodyText(bytes: Buffer, { headers, status }: Head): string {
  if (status === 101) return '';
  const coding = headerValues({ headers }, 'content-encoding')[0];
  if (coding !== undefined && coding !== 'identity') return '';
  const text = bytes.subarray(0, BODY_BYTES_MAX).toString('utf8');
  const isChunked = headerValues({ headers }, 'transfer-encoding').some((value) => /chunked/i.test(value));
  return isChunked ? text.replaceAll(/(^|\r\n)[\da-f]+(;[^\r\n]*)?\r\n/gi, '') : text;
}

/** RFC 6455 section 5.5.1: a masked close frame with 1000, with a mask of zeros. */
const CLOSE_FRAME = Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]);
const RELEASE_MS = 1_000;

function release(socket: Socket, isOpen: boolean): void {
  socket.on('error', () => {});
  if (!isOpen) socket.destroy();
  if (socket.destroyed) return;
  socket.resume();
  socket.end(CLOSE_FRAME);
  const timer = setTimeout(() => socket.destroy(), RELEASE_MS);
  timer.unref();
  socket.once('close', () => clearTimeout(timer));
}
