/**
 * The application's own server, behind the same nginx: gives its pages tokens, and answers the server's web hook whether
 * somebody may follow a topic. Signatures of the hook are verified by hand (Standard Webhooks 1.0.0).
 */

import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Issuer } from './issuer.testing.ts';

export class BackEnd {
  readonly webhookSecret: string = `whsec_${randomBytes(32).toString('base64')}`;
  /** Who may follow nothing, whatever the token says. */
  readonly banned = new Set<string>();
  /** How long the tokens of a subject live, seconds; a minute otherwise. */
  readonly lifetimes = new Map<string, number>();
  /** Who asked for a token, in order. */
  readonly asked: string[] = [];
  readonly #issuer: Issuer;
  readonly #http: Server;

  constructor(issuer: Issuer) {
    this.#issuer = issuer;
    this.#http = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
    });
  }

  async listen(): Promise<void> {
    this.#http.listen(0, '127.0.0.1');
    await once(this.#http, 'listening');
  }

  get port(): number {
    return (this.#http.address() as AddressInfo).port;
  }

  close(): Promise<void> {
    this.#http.closeAllConnections();
    return new Promise((resolve) => this.#http.close(() => resolve()));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url === '/hook') return this.#answerHook(request, response);
    // An application would know by its session who asks; here the page says so.
    const subject = /^\/token\/(\w+)$/.exec(request.url ?? '')?.[1];
    if (subject === undefined) return void response.writeHead(404).end();
    this.asked.push(subject);
    response.end(this.#issuer.sign(subject, { lifetime: this.lifetimes.get(subject) ?? 60 }));
  }

  async #answerHook(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request);
    const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature } = request.headers;
    const key = Buffer.from(this.webhookSecret.slice('whsec_'.length), 'base64');
    const expected = createHmac('sha256', key)
      .update(`${String(id)}.${String(timestamp)}.${body}`)
      .digest('base64');
    if (signature !== `v1,${expected}`) return void response.writeHead(401).end();
    const { data } = JSON.parse(body) as { readonly data: { readonly identity: { readonly subject: string } } };
    const isBanned = this.banned.has(data.identity.subject);
    const answer = isBanned ? { allow: false, message: 'the application has taken this right away' } : { allow: true };
    response.setHeader('content-type', 'application/json').end(JSON.stringify(answer));
  }
}
