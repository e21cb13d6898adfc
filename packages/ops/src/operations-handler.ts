/**
 * `/health`, `/ready` and `/metrics` over HTTP, for a port of their own or beside other requests. The first two are open to
 * everybody: who asks for them has no credentials. Metrics tell how busy a server is, and can be kept behind a token.
 */

import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { HoldfastError } from '@holdfast/wire';
import type { Health } from './health.ts';
import type { Metrics } from './metrics.ts';
import { withoutQuery } from './secrets.ts';

export interface OperationsOptions {
  readonly health: Health;
  /** Default: `/metrics` is not served. */
  readonly metrics?: Pick<Metrics, 'contentType' | 'text'>;
  /** What `/metrics` wants as `Authorization: Bearer`; 16 characters or more. Default: nothing, for a port that only operators reach. */
  readonly token?: string;
}

/** `next` is called for what is none of these paths; without it the answer is 404. */
export type OperationsHandler = (request: IncomingMessage, response: ServerResponse, next?: () => void) => void;

const TOKEN_LENGTH_MIN = 16;

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Also a `RequestListener`: `createServer(createOperationsHandler(...))`. Throws `USAGE` for a token that is too short to be one. */
export function createOperationsHandler({ health, metrics, token }: OperationsOptions): OperationsHandler {
  if (token !== undefined && token.length < TOKEN_LENGTH_MIN)
    throw new HoldfastError('USAGE', `the token for /metrics has ${token.length} characters; ${TOKEN_LENGTH_MIN} or more are wanted`);
  const isOperator = token === undefined ? (): boolean => true : bearerTest(token);
  const routes: Readonly<Record<string, (request: IncomingMessage) => Answer | Promise<Answer>>> = {
    '/health': () => json(200, health.live()),
    '/ready': async () => {
      const readiness = await health.ready();
      return json(readiness.status === 'ready' ? 200 : 503, readiness);
    },
    ...(metrics === undefined
      ? {}
      : {
          '/metrics': async (request) =>
            isOperator(request.headers.authorization)
              ? { status: 200, type: metrics.contentType, body: await metrics.text() }
              : { ...json(401, { code: 'UNAUTHENTICATED' }), headers: { 'www-authenticate': 'Bearer' } },
        }),
  };
  return (request, response, next) => {
    const path = withoutQuery(request.url ?? '/');
    const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
    if (route === undefined) return next === undefined ? send(request, response, json(404, {})) : next();
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return send(request, response, { ...json(405, {}), headers: { allow: 'GET, HEAD' } });
    Promise.resolve()
      .then(() => route(request))
      .catch(() => json(500, { code: 'INTERNAL' }))
      .then((answer) => send(request, response, answer))
      .catch(() => response.destroy());
  };
}

function json(status: number, body: object): Answer {
  return { status, type: 'application/json', body: `${JSON.stringify(body)}\n` };
}

function send({ method }: IncomingMessage, response: ServerResponse, { status, type, body, headers = {} }: Answer): void {
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...headers,
  });
  response.end(method === 'HEAD' ? undefined : body);
}

/** How long the comparison takes says nothing: digests are compared, in constant time. */
function bearerTest(token: string): (header: string | undefined) => boolean {
  const expected = digest(token);
  return (header = '') => {
    const [, given] = /^Bearer +(\S+)$/i.exec(header) ?? [];
    return given !== undefined && timingSafeEqual(digest(given), expected);
  };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
