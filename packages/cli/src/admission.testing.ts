/** A server with tokens, and clients as anybody would write them: what they say, and how it ended. */

import { generateSecret, signToken, type SignTokenOptions } from '@holdfast/auth';
import { onTestFinished } from 'vitest';
import { WebSocket, type ClientOptions } from 'ws';
import { startServer, type ProgramOptions, type Served } from './program.testing.ts';

export const SECRET: string = generateSecret();
export const API_KEY: string = generateSecret();

/** What a server that lets nobody in without a token finds in its environment. */
export const GUARDED: Readonly<Record<string, string>> = {
  NODE_ENV: 'production',
  HOLDFAST_AUTH_JWT_SECRET: SECRET,
  HOLDFAST_AUTH_API_KEY: API_KEY,
};

/** Starts one on any free port, with a store in memory unless `args` name a folder. */
export function startGuarded(
  args: readonly string[] = ['--memory'],
  { env = {}, ...options }: ProgramOptions & { readonly port?: number } = {},
): Promise<Served> {
  return startServer(args, { ...options, env: { ...GUARDED, ...env } });
}

/** A token of the server's secret that may do everything. */
export function tokenFor(subject: string, options: Partial<SignTokenOptions> = {}): Promise<string> {
  return signToken({ key: { secret: SECRET }, subject, capabilities: { '*': ['*'] }, ...options });
}

export type Frame = Readonly<Record<string, unknown>>;

/** One hand-written client. Its frames come in order; its end is awaited. */
export class Peer {
  readonly socket: WebSocket;
  readonly frames: Frame[] = [];
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  #wake: () => void = () => {};

  constructor(url: string, options: ClientOptions = {}, protocols: readonly string[] = ['holdfast.v1']) {
    this.socket = new WebSocket(url, [...protocols], options);
    this.socket.on('message', (data: Buffer) => {
      this.frames.push(JSON.parse(data.toString()) as Frame);
      this.#wake();
    });
    this.socket.on('error', () => {});
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code, reason) => {
        resolve({ code, reason: reason.toString() });
        this.#wake();
      });
    });
    onTestFinished(() => this.socket.terminate());
  }

  async send(frame: object): Promise<void> {
    if (this.socket.readyState === WebSocket.CONNECTING) await new Promise((resolve) => this.socket.once('open', resolve));
    this.socket.send(JSON.stringify(frame));
  }

  /** The first frame of that type, come or to come; `undefined` if the connection ends without. */
  async frame(type: string): Promise<Frame | undefined> {
    for (;;) {
      const found = this.frames.find((one) => one['type'] === type);
      if (found !== undefined || this.socket.readyState === WebSocket.CLOSED) return found;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

/** Says hello with a token; the peer afterwards, whatever came of it. */
export async function hello(url: string, token: string | undefined, more: object = {}, options: ClientOptions = {}): Promise<Peer> {
  const peer = new Peer(url, options);
  await peer.send({ type: 'hello', client: 'by-hand', ...(token === undefined ? {} : { token }), ...more });
  return peer;
}

/** Asks the REST API as a back end. */
export async function post(
  port: number,
  path: string,
  body: object,
  key: string = API_KEY,
): Promise<{ readonly status: number; readonly body: Frame }> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Frame };
}
