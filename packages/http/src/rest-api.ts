/**
 * The REST API: a handler for plain HTTP requests on `/v1`, beside the sockets of the same server. It examines who asks, from
 * where, and how much comes; what is asked for is done by the routes, with the rights that a socket of the same identity has.
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type Authenticate,
  clientAddress,
  type Endpoint,
  type Hub,
  type Identity,
  type OriginRule,
  parseOrigins,
  parseTrustedProxies,
} from '@holdfast/server';
import { HoldfastError, isTopicName, type ErrorCode } from '@holdfast/wire';
import { parseBearer } from './bearer.ts';
import { createOriginCheck, preflightHeaders } from './cross-origin.ts';
import { ROUTES } from './openapi.ts';
import type { RevocationSink, TicketIssuer } from './port.ts';
import { HttpRefusal, PROBLEM_TYPE, problemOf } from './problem.ts';
import { assertPlain, hasBodyBeyond, jsonOf, mediaTypeOf, payloadOf, readBody } from './request-body.ts';
import { createRouter, type Answer, type Match, type Route } from './route.ts';

export interface RestApiOptions {
  readonly hub: Hub;
  /** Whose topics and rights count. */
  readonly endpoint: Endpoint;
  /**
   * Finds out who asks. `token` is that of `Authorization: Bearer`, `client` is `http`, `url` has no query, and headers have
   * no cookies, which a page of anybody could send. Default: the endpoint's.
   */
  readonly authenticate?: Authenticate;
  /**
   * Whether an identity is a back end: only those may control the server, each as far as its right to `call` the methods
   * `holdfast/tickets`, `holdfast/revocations`, `holdfast/disconnections`, `holdfast/rechecks` and `holdfast/topics` goes.
   * No user may be able to look like one. Default: nobody is.
   */
  readonly isBackEnd?: (identity: Identity) => boolean;
  /** Default: no tickets. */
  readonly tickets?: TicketIssuer;
  /** Default: no revocations. */
  readonly revocations?: RevocationSink;
  /** Before rights are asked again, of one subject or of all: for who keeps grants, as webhooks do. */
  readonly onRecheck?: (subject: string | undefined) => void;
  /** The largest body of a request, bytes. Default: the hub's `frameBytesMax`. */
  readonly bodyBytesMax?: number;
  /** How long a body may take, ms. Default 10,000. */
  readonly bodyTimeoutMs?: number;
  /** Requests at a time; the next ones get 503. Default 1,000. */
  readonly requestsMax?: number;
  /** Origins whose pages may ask, written as for `attach`, or `'any'`. Default: none but those of the host itself. */
  readonly origins?: readonly string[] | 'any';
  /** Proxies whose `X-Forwarded-For` counts, as for `attach`. Default: none. */
  readonly trustedProxies?: readonly string[];
  /** Is told of each answer: for logs and figures. Never a token, a query or a payload. */
  readonly onAnswer?: (facts: AnswerFacts) => void;
}

/** One answered request. */
export interface AnswerFacts {
  readonly method: string;
  /** The route, such as `/v1/topics/{topic}/entries`; empty if there was none. */
  readonly route: string;
  readonly status: number;
  /** Why it was refused. */
  readonly code?: ErrorCode;
  readonly subject?: string;
  readonly address: string;
  readonly durationMs: number;
}

/** Answers a request and resolves with `true`, or with `false` for a path that is none of its own. Never rejects. */
export type RestApi = (request: IncomingMessage, response: ServerResponse) => Promise<boolean>;

/** Where all routes are. */
const BASE = '/v1';
const BODY_TIMEOUT_MS = 10_000;
const REQUESTS_MAX = 1_000;
const SUBJECT_LENGTH_MAX = 256;
/** How long what is still sent after a refusal is thrown away before the connection is closed, ms: a reset would overtake the answer. */
const LINGER_MS = 1_000;

const BASE_HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', vary: 'Accept, Origin' };

/** A request on its way, and what is known of it so far. */
interface Visit {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly address: string;
  readonly beganAtMs: number;
  route: string;
  subject: string | undefined;
  headers: Readonly<Record<string, string>>;
}

/** Throws `USAGE` for what is no origin or proxy. */
export function createRestApi(options: RestApiOptions): RestApi {
  const proxies = parseTrustedProxies(options.trustedProxies ?? []);
  const api = new Api(options, parseOrigins(options.origins ?? [], proxies));
  return async (request, response) => {
    const [path = '', ...rest] = (request.url ?? '').split('?');
    if (path !== BASE && !path.startsWith(`${BASE}/`)) return false;
    await api.serve({
      request,
      response,
      path,
      query: new URLSearchParams(rest.join('?')),
      address: clientAddress(request, proxies),
      beganAtMs: options.hub.services.clock.now(),
      route: '',
      subject: undefined,
      headers: {},
    });
    return true;
  };
}

class Api {
  readonly #options: RestApiOptions;
  readonly #bodyBytesMax: number;
  readonly #originOf: ReturnType<typeof createOriginCheck>;
  readonly #route: (path: string) => Match | undefined = createRouter(ROUTES);
  #underway = 0;

  constructor(options: RestApiOptions, rule: OriginRule) {
    this.#options = options;
    this.#bodyBytesMax = options.bodyBytesMax ?? options.hub.services.limits.frameBytesMax;
    this.#originOf = createOriginCheck(rule);
  }

  async serve(visit: Visit): Promise<void> {
    this.#underway += 1;
    try {
      this.#answer(visit, await this.#dispatch(visit));
    } catch (error) {
      this.#refuse(visit, this.#options.hub.services.refusalOf(error));
    } finally {
      this.#underway -= 1;
    }
  }

  async #dispatch(visit: Visit): Promise<Answer> {
    const { requestsMax = REQUESTS_MAX } = this.#options;
    const { request, path, query } = visit;
    const { refusal, headers } = this.#originOf(request);
    visit.headers = headers;
    if (refusal !== undefined) throw refusal;
    const match = this.#route(path);
    if (match === undefined) {
      throw new HttpRefusal(404, 'UNKNOWN_METHOD', 'there is nothing at this path', { hint: `GET ${BASE}/openapi.json lists all.` });
    }
    visit.route = match.path;
    const methods = methodsOf(match);
    if (request.method === 'OPTIONS') return { status: 204, headers: { allow: methods.join(', '), ...preflightHeaders(methods) } };
    const route = match.routes.get(request.method === 'HEAD' ? 'GET' : (request.method ?? ''));
    if (route === undefined) {
      const message = `the method ${request.method} is not for this path`;
      throw new HttpRefusal(405, 'UNKNOWN_METHOD', message, { hint: methods.join(', '), headers: { allow: methods.join(', ') } });
    }
    assertQuery(route, query);
    if (this.#underway > requestsMax) {
      throw new HoldfastError('OVERLOADED', 'too many requests are under way', { retryAfterMs: LINGER_MS });
    }
    return this.#handle(visit, route, match.topic);
  }

  async #handle(visit: Visit, route: Route, encodedTopic: string): Promise<Answer> {
    const { hub, endpoint, tickets, revocations, onRecheck = () => {}, isBackEnd = () => false } = this.#options;
    const { request, address, query } = visit;
    const identity = route.access === 'anybody' ? { subject: 'anybody' } : await this.#identify(visit);
    const topic = topicOf(encodedTopic);
    const { limits } = hub.services;
    const read = (): Promise<Buffer> => {
      assertPlain(request);
      const { bodyTimeoutMs = BODY_TIMEOUT_MS } = this.#options;
      return readBody(request, { bytesMax: this.#bodyBytesMax, timeoutMs: bodyTimeoutMs, clock: hub.services.clock });
    };
    const type = mediaTypeOf(request);
    return route.handle({
      hub,
      endpoint,
      tickets,
      revocations,
      onRecheck,
      isBackEnd,
      identity,
      actor: hub.actor(identity, endpoint).calledFrom(address),
      topic,
      query,
      headers: request.headers,
      payload: async () => payloadOf(type, await read(), limits),
      json: async () => {
        const bytes = await read();
        return bytes.length === 0 ? undefined : jsonOf(type, bytes, limits);
      },
    });
  }

  async #identify(visit: Visit): Promise<Identity> {
    const { hub, endpoint, authenticate = endpoint.authenticate } = this.#options;
    // Before it is known who it is: whoever examines credentials must not be asked without a bound.
    const refusal = hub.services.chargeRequest(undefined, visit.address, { Requests: 1 });
    if (refusal !== undefined) throw refusal;
    const { clock } = hub.services;
    const { cookie: _cookie, ...headers } = visit.request.headers;
    const token = parseBearer(headers.authorization);
    const credentials = { token, client: 'http', address: visit.address, headers, url: visit.path, protocols: [] };
    const found: Partial<Identity> | undefined = await hub.services.inTime('authenticate', Promise.resolve(authenticate(credentials)));
    const { subject, expiresAtMs } = found ?? {};
    if (typeof subject !== 'string' || subject.length === 0 || subject.length > SUBJECT_LENGTH_MAX)
      throw new TypeError('authenticate must give an identity with a subject of 1 to 256 characters');
    visit.subject = subject;
    if (expiresAtMs !== undefined && expiresAtMs <= clock.now()) throw new HoldfastError('TOKEN_EXPIRED');
    return found as Identity;
  }

  #answer(visit: Visit, { status, body, type = 'application/json', headers = {} }: Answer): void {
    const text = body === undefined ? undefined : typeof body === 'string' && type !== 'application/json' ? body : JSON.stringify(body);
    this.#send(visit, status, type, text, headers);
    this.#tell(visit, status);
  }

  #refuse(visit: Visit, error: HoldfastError): void {
    const { request } = visit;
    this.#options.hub.counters.countError(error.code);
    const { status, headers, body } = problemOf(error, request.headers.authorization !== undefined);
    const isEndless = request.headers['transfer-encoding'] !== undefined || hasBodyBeyond(request, this.#bodyBytesMax);
    const mustClose = status === 408 || (isEndless && !request.complete);
    this.#send(visit, status, PROBLEM_TYPE, JSON.stringify(body), { ...headers, ...(mustClose ? { connection: 'close' } : {}) });
    this.#tell(visit, status, error.code);
  }

  #send(
    { request, response, headers: shared }: Visit,
    status: number,
    type: string,
    text: string | undefined,
    headers: Readonly<Record<string, string>>,
  ): void {
    const body = text === undefined ? {} : { 'content-type': type, 'content-length': String(Buffer.byteLength(text)) };
    response.writeHead(status, { ...BASE_HEADERS, ...shared, ...body, ...headers });
    if (headers['connection'] !== 'close' || request.complete || text === undefined) return void response.end(text);
    this.#linger(request, response, text);
  }

  /** The answer goes out whole; then what the client still sends is thrown away for a while, so that it reads it. */
  #linger(request: IncomingMessage, response: ServerResponse, text: string): void {
    const { clock } = this.#options.hub.services;
    if (request.method !== 'HEAD') response.write(text);
    const end = (): void => {
      clock.clearTimeout(timer);
      request.off('end', end).off('close', end);
      response.end();
    };
    const timer = clock.setTimeout(end, LINGER_MS);
    request
      .on('end', end)
      .on('close', end)
      .on('error', () => {});
    request.resume();
  }

  #tell({ request, route, subject, address, beganAtMs }: Visit, status: number, code?: ErrorCode): void {
    const { hub, onAnswer } = this.#options;
    const durationMs = Math.max(0, hub.services.clock.now() - beganAtMs);
    const optional = { ...(code === undefined ? {} : { code }), ...(subject === undefined ? {} : { subject }) };
    try {
      onAnswer?.({ method: request.method ?? '', route, status, address, durationMs, ...optional });
    } catch (error) {
      hub.services.refusalOf(error);
    }
  }
}

function methodsOf({ routes }: Match): string[] {
  const methods = [...routes.keys()];
  return [...methods, ...(methods.includes('GET') ? ['HEAD'] : []), 'OPTIONS'];
}

/** Throws `USAGE` for a parameter that the route does not know: a bound that is misspelt must not be taken for none. */
function assertQuery(route: Route, query: URLSearchParams): void {
  if ([...query.keys()].every((name) => route.query.includes(name))) return;
  // Not repeated: somebody may have put a token there.
  const known = route.query.length === 0 ? 'none' : route.query.join(', ');
  throw new HoldfastError('USAGE', `the query has an unknown parameter; known here: ${known}`);
}

/** Decoded segment by segment or as a whole; empty where the path has none. Throws `USAGE`. */
function topicOf(encoded: string): string {
  if (encoded === '') return '';
  let topic: string;
  try {
    topic = decodeURIComponent(encoded);
  } catch {
    throw new HoldfastError('USAGE', 'the path has a percent sign that encodes nothing');
  }
  if (isTopicName(topic)) return topic;
  throw new HoldfastError('USAGE', 'the path has no name of a topic (HF-1.1)', { hint: 'Such as /v1/topics/chat%2F42/entries.' });
}
