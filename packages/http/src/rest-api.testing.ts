/** A server with the REST API on a free port of this machine, and credentials to ask it with. */

import type { Server } from 'node:http';
import {
  createHub,
  createMemoryStore,
  Endpoint,
  listen,
  SharedFrame,
  type EndpointOptions,
  type Frame,
  type Hub,
  type HubOptions,
  type Socket,
  type SocketListener,
} from '@holdfast/server';
import { HoldfastError, type Json } from '@holdfast/wire';
import { createRestApi, type AnswerFacts, type RestApiOptions } from './index.ts';

export interface ServerOptions extends Partial<Omit<RestApiOptions, 'hub' | 'endpoint'>> {
  readonly hub?: Partial<HubOptions>;
  readonly authorize?: EndpointOptions['authorize'];
}

export interface ApiServer {
  readonly hub: Hub;
  readonly http: Server;
  readonly port: number;
  /** Such as `http://127.0.0.1:40000`. */
  readonly url: string;
  readonly answers: AnswerFacts[];
  readonly reported: unknown[];
  /** Asks as a user or as a back end; the body as JSON unless it is text or bytes. */
  ask(method: string, path: string, options?: AskOptions): Promise<Asked>;
  close(): Promise<void>;
}

export interface AskOptions {
  readonly as?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array<ArrayBuffer>;
  readonly json?: Json;
}

export interface Asked {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body as JSON; `undefined` if it is none. */
  readonly body: Record<string, Json> | undefined;
}

/** Tokens are names; `expired` has ended; names that begin with `server:` are back ends; without a token nobody. */
export async function serveApi({ hub: hubOptions, authorize, ...options }: ServerOptions = {}): Promise<ApiServer> {
  const reported: unknown[] = [];
  const answers: AnswerFacts[] = [];
  const hub = createHub({ store: createMemoryStore(), onError: (error) => reported.push(error), ...hubOptions });
  const endpoint = new Endpoint({ topics: ['chat/*', 't'], ...(authorize === undefined ? {} : { authorize }) });
  const api = createRestApi({
    hub,
    endpoint,
    authenticate: ({ token }) => {
      if (token === undefined || token === 'wrong') throw new HoldfastError('UNAUTHENTICATED', 'who are you?');
      if (token === 'revoked') throw new HoldfastError('REVOKED');
      return { subject: token.replace('server.', 'server:'), ...(token === 'expired' ? { expiresAtMs: 1 } : {}) };
    },
    isBackEnd: ({ subject }) => subject.startsWith('server:'),
    onAnswer: (facts) => answers.push(facts),
    ...options,
  });
  const server = await listen({
    hub,
    port: 0,
    request: (request, response) => {
      void api(request, response).then((isServed) => {
        if (!isServed) response.writeHead(418).end('not the API');
      });
    },
  });
  const url = `http://127.0.0.1:${server.port}`;
  const ask: ApiServer['ask'] = async (method, path, { as = 'alice', headers = {}, body, json } = {}) => {
    const response = await fetch(url + path, {
      method,
      headers: {
        ...(as === '' ? {} : { authorization: `Bearer ${as}` }),
        ...(json === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
      ...(body === undefined ? {} : { body }),
    });
    const text = await response.text();
    const isJson = ['application/json', 'application/problem+json'].includes(response.headers.get('content-type') ?? '');
    return {
      status: response.status,
      headers: response.headers,
      text,
      body: isJson && text !== '' ? (JSON.parse(text) as Asked['body'] & object) : undefined,
    };
  };
  return { hub, http: server.http, port: server.port, url, answers, reported, ask, close: () => server.close() };
}

/** A connection in memory: what a client sends goes straight to the hub, and what comes back is kept. */
export class MemoryClient implements Socket {
  readonly bufferedBytes = 0;
  readonly received: Record<string, Json>[] = [];
  closeCode: number | undefined;
  #listener: SocketListener | undefined;
  #wake: () => void = () => {};

  /** Says hello with a token; the endpoint's own `authenticate` decides. */
  constructor(hub: Hub, endpoint: Endpoint, token: string, subscribe: readonly Json[] = []) {
    const headers = { cookie: 'sid=1', 'x-tenant': 'acme' };
    hub.accept(this, { endpoint, address: '127.0.0.1', headers, url: '/live?secret=1', protocols: [], isProtocol: true });
    this.tell({ type: 'hello', client: `tab-${token}`, token, subscribe });
  }

  tell(message: Json): void {
    this.#listener?.onFrame(JSON.stringify(message));
  }

  /** The first message of a type, with a seq if one is given, now or when it comes. */
  async until(type: string, seq?: number): Promise<Record<string, Json>> {
    for (;;) {
      const found = this.received.find((message) => message['type'] === type && (seq === undefined || message['seq'] === seq));
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  send(frame: Frame): void {
    const content = frame instanceof SharedFrame ? frame.content : frame;
    if (typeof content === 'string') this.received.push(JSON.parse(content) as Record<string, Json>);
    this.#wake();
  }

  close(code: number): void {
    this.closeCode ??= code;
  }

  terminate(): void {
    this.close(1006);
  }

  limitArrival(): void {}

  listen(listener: SocketListener): void {
    this.#listener = listener;
  }
}
