/** Servers for `holdfast doctor` to examine: scripted ones on `node:net` and `node:tls`, WebSocket ones, and real hubs. */

import { createHash } from 'node:crypto';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { onTestFinished } from 'vitest';
import { createHub, createMemoryStore, listen, type HoldfastServer, type ListenOptions } from '@holdfast/server';
import { WebSocketServer, type ServerOptions, type WebSocket } from 'ws';
import { diagnose, type DoctorValues } from './doctor.ts';
import type { World } from './doctor-world.ts';

export interface Diagnosis {
  readonly code: number;
  readonly text: string;
}

/** What `holdfast doctor` says in this world, where no environment is set and every name is this machine. */
export async function diagnosis(address: string, values: DoctorValues = {}, world: Partial<World> = {}): Promise<Diagnosis> {
  const lines: string[] = [];
  const here: World = {
    lookup: () => Promise.resolve([{ address: '127.0.0.1', family: 4 }]),
    environment: {},
    now: () => Date.now(),
    ...world,
  };
  const code = await diagnose(address, { seconds: 5, idle: 0, pings: 3, ...values }, here, (line) => lines.push(line));
  return { code, text: `${lines.join('\n')}\n` };
}

/** The lines of a step, without their time. */
export function linesOf(text: string, step: string): string[] {
  const isStep = new RegExp(`^(?:ok|warning|failed) +${step} `);
  const parts = text.split(/^(?=ok |warning |failed )/m).filter((part) => isStep.test(part));
  return parts.map((part) => {
    const [first = '', second = ''] = part.split('\n');
    const line = first.replace(/^(\w+) +.{11} .{9} {2}/, '$1 ');
    return second.trimStart().startsWith('->') ? `${line} ${second.trimStart()}` : line;
  });
}

export type Script = (socket: Socket, request: string) => void;

/** Calls `script` with each request's head; its address has neither scheme nor path. */
export function scripted(script: Script, tls?: TlsOptions): Promise<string> {
  const onSocket = (socket: Socket): void => {
    let head = '';
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      if (head.includes('\r\n\r\n')) return;
      head += chunk.toString('latin1');
      if (head.includes('\r\n\r\n')) script(socket, head);
    });
  };
  return started(tls === undefined ? createServer(onSocket) : createTlsServer(tls, onSocket));
}

/** Calls `onSocket` with each connection. */
export function silent(onSocket: (socket: Socket) => void = () => {}): Promise<string> {
  return started(createServer(onSocket));
}

async function started(server: Server): Promise<string> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
  });
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  );
  return `localhost:${(server.address() as AddressInfo).port}`;
}

/** Ends each connection with this answer. */
export function answering(status: string, headers: Readonly<Record<string, string>> = {}, body = ''): Script {
  const all = Object.entries({ 'Content-Length': String(Buffer.byteLength(body)), ...headers }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  return (socket) => void socket.end(`HTTP/1.1 ${status}\r\n${all.join('')}\r\n${body}`);
}

/** Takes the upgrade; `changes` replace or, with `undefined`, leave out headers of the answer. */
export function switching(changes: Readonly<Record<string, string | undefined>> = {}, next: (socket: Socket) => void = () => {}): Script {
  return (socket, request) => {
    const headers = { Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Accept': acceptOf(request), ...changes };
    const lines = Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}\r\n`]));
    socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('')}\r\n`);
    next(socket);
  };
}

function acceptOf(request: string): string {
  const [, key = ''] = /^sec-websocket-key: (.*)\r$/im.exec(request) ?? [];
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}

/** A server of the library `ws`. */
export async function webSockets(onSocket: (socket: WebSocket) => void, options: ServerOptions = {}): Promise<string> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', ...options });
  await new Promise((resolve) => void server.once('listening', resolve));
  server.on('connection', (socket) => {
    socket.on('error', () => {});
    onSocket(socket);
  });
  onTestFinished(() => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  });
  return `localhost:${(server.address() as AddressInfo).port}`;
}

export const WELCOME = {
  type: 'welcome',
  session: 's-1',
  subject: 'ann',
  heartbeatMs: 25_000,
  spreadMs: 100,
  time: 0,
  limits: {
    frameBytesMax: 4_096,
    inFlightMax: 64,
    topicsPerFrameMax: 256,
    subscriptionsMax: 1_024,
    entriesPerPublishMax: 256,
    readCountMax: 1_000,
    requestsMax: 256,
    depthMax: 32,
    keysMax: 16_384,
    queueBytesMax: 1_048_576,
    producerSilenceMs: 2_592_000_000,
  },
} as const;

/** Speaks `holdfast.v1` by hand: `answer` gets each message, and may say something before the pong. */
export function holdfastLike(
  answer: (socket: WebSocket, message: { readonly type?: string; readonly id?: unknown }, text: string) => void,
  options: ServerOptions = {},
): Promise<string> {
  const onSocket = (socket: WebSocket): void => {
    socket.on('message', (data: Buffer) => {
      const text = data.toString('utf8');
      answer(socket, JSON.parse(text) as { type?: string }, text);
    });
  };
  return webSockets(onSocket, { handleProtocols: () => 'holdfast.v1', ...options });
}

export function say(socket: WebSocket, message: object): void {
  socket.send(JSON.stringify(message));
}

/** The product itself, on a free port. */
export async function realServer(options: Partial<ListenOptions> = {}): Promise<HoldfastServer> {
  const hub = options.hub ?? createHub({ store: createMemoryStore(), maintainIntervalMs: 0, onError: () => undefined });
  const server = await listen({ port: 0, ...options, hub });
  onTestFinished(() => server.close());
  return server;
}

/** Answers masked pings of less than 126 bytes, and nothing else; for `switching`. */
export function pongs(socket: Socket, answered: () => void = () => {}): void {
  let bytes: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    while (bytes.length >= 6 && bytes.length >= 6 + (bytes[1]! & 0x7f)) {
      const length = bytes[1]! & 0x7f;
      const mask = bytes.subarray(2, 6);
      const payload = bytes.subarray(6, 6 + length).map((byte, at) => byte ^ mask[at % 4]!);
      const opcode = bytes[0]! & 0x0f;
      bytes = bytes.subarray(6 + length);
      if (opcode === 0x8) return void socket.end();
      if (opcode !== 0x9) continue;
      socket.write(Buffer.concat([Buffer.from([0x8a, length]), payload]));
      answered();
    }
  });
}
