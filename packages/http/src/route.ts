/**
 * Routes: what one method on one path does, and how it is described. One table of them routes the requests and makes the
 * OpenAPI description, so that the two cannot differ.
 */

import type { IncomingHttpHeaders } from 'node:http';
import type { Actor, Endpoint, Hub, Identity } from '@holdfast/server';
import type { Data, Json } from '@holdfast/wire';
import type { RevocationSink, TicketIssuer } from './port.ts';

/** What a request meets: one to whom it belongs, and what it came with. */
export interface RouteContext {
  readonly hub: Hub;
  readonly endpoint: Endpoint;
  readonly tickets: TicketIssuer | undefined;
  readonly revocations: RevocationSink | undefined;
  readonly onRecheck: (subject: string | undefined) => void;
  readonly isBackEnd: (identity: Identity) => boolean;
  readonly identity: Identity;
  /** Acts with this identity's rights, counted for it and for its address. */
  readonly actor: Actor;
  /** What stands for `{topic}` in the path, decoded; not yet examined. */
  readonly topic: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** Reads the body as a payload. */
  readonly payload: () => Promise<Data>;
  /** Reads the body as JSON; `undefined` if there is none. */
  readonly json: () => Promise<Json | undefined>;
}

export interface Answer {
  readonly status: number;
  /** None: an answer without a body. Text goes out as it is. */
  readonly body?: Json;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** `{topic}` stands for a topic's name, slashes included. */
  readonly path: string;
  /** `identity`: whoever can say who he is. `back-end`: those alone who are back ends, and have the right to it. */
  readonly access: 'anybody' | 'identity' | 'back-end';
  /** Names of the query parameters; any other is refused. */
  readonly query: readonly string[];
  /** An Operation Object of OpenAPI 3.1, without what all routes have. */
  readonly operation: { readonly operationId: string; readonly [field: string]: Json };
  readonly handle: (context: RouteContext) => Promise<Answer>;
}

/** A path of the table that fits a request. */
export interface Match {
  readonly path: string;
  /** By method. */
  readonly routes: ReadonlyMap<string, Route>;
  /** Percent-encoded as it came. */
  readonly topic: string;
}

interface Pattern {
  readonly path: string;
  readonly expression: RegExp;
  readonly routes: Map<string, Route>;
}

/**
 * Finds the routes of a path. What follows a topic counts before the topic's own name: `/v1/topics/a/entries` is the
 * entries of `a`; the topic `a/entries` is written `a%2Fentries`.
 */
export function createRouter(routes: readonly Route[]): (path: string) => Match | undefined {
  const patterns: Pattern[] = [];
  for (const route of routes) {
    let pattern = patterns.find(({ path }) => path === route.path);
    if (pattern === undefined) patterns.push((pattern = { path: route.path, expression: expressionOf(route.path), routes: new Map() }));
    pattern.routes.set(route.method, route);
  }
  // The longer template first: that with something after the topic.
  patterns.sort((one, other) => other.path.length - one.path.length);
  return (given) => {
    for (const { path, expression, routes: found } of patterns) {
      const match = expression.exec(given);
      if (match !== null) return { path, routes: found, topic: match[1] ?? '' };
    }
    return undefined;
  };
}

function expressionOf(path: string): RegExp {
  return new RegExp(`^${path.replaceAll('.', '\\.').replace('{topic}', '(.+)')}$`);
}
