/** A back end on a free port of this machine, which answers webhooks as a test says, and keeps what it was asked. */

import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Json } from '@holdfast/wire';

/** 32 bytes; of no use to anybody. */
export const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

export interface Received {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  readonly type: string;
  readonly data: Record<string, Json>;
}

/** A status with a body, or what a test does to the response itself. */
export type Reply =
  | Json
  | { readonly status: number; readonly body?: Json; readonly headers?: Readonly<Record<string, string>> }
  | ((response: ServerResponse) => void);

export interface BackEnd {
  readonly url: string;
  readonly received: Received[];
  /** Resolves when so many requests have come in all. */
  came(count: number): Promise<void>;
  close(): Promise<void>;
}

export async function serveBackEnd(reply: (received: Received) => Reply | Promise<Reply>): Promise<BackEnd> {
  const received: Received[] = [];
  const wake: (() => void)[] = [];
  const onRequest = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString('utf8');
    const { type, data } = JSON.parse(text) as Pick<Received, 'type' | 'data'>;
    const one = { path: request.url ?? '', headers: request.headers as Record<string, string>, text, type, data };
    received.push(one);
    for (const resolve of wake.splice(0)) resolve();
    const answer = await reply(one);
    if (typeof answer === 'function') return answer(response);
    const isFull = typeof answer === 'object' && answer !== null && 'status' in answer;
    const {
      status,
      body,
      headers = {},
    } = (isFull ? answer : { status: 200, body: answer }) as { status: number; body?: Json; headers?: Record<string, string> };
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(body === undefined ? '' : JSON.stringify(body));
  };
  const server = createServer((request, response) => void onRequest(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooks`,
    received,
    came: async (count) => {
      while (received.length < count) await new Promise<void>((resolve) => wake.push(resolve));
    },
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** The signature of a request, worked out here from the specification alone. */
export function signatureOf(secret: string, { headers, text }: Pick<Received, 'headers' | 'text'>): string {
  const key = Buffer.from(secret.replace('whsec_', ''), 'base64');
  const mac = createHmac('sha256', key).update(`${headers['webhook-id']}.${headers['webhook-timestamp']}.${text}`);
  return `v1,${mac.digest('base64')}`;
}
