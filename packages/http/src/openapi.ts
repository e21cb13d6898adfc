/** The OpenAPI 3.1 description of the REST API, made from the table that routes its requests. */

import type { Json } from '@holdfast/wire';
import { CONTROL_ROUTES } from './control-routes.ts';
import { PROBLEM_TYPE } from './problem.ts';
import type { Route } from './route.ts';
import { TOPIC_ROUTES } from './topic-routes.ts';

const description: Route = {
  method: 'GET',
  path: '/v1/openapi.json',
  access: 'anybody',
  query: [],
  operation: {
    operationId: 'describe',
    summary: 'This description',
    tags: ['description'],
    responses: { 200: { description: 'OpenAPI 3.1.', content: { 'application/json': { schema: { type: 'object' } } } } },
  },
  handle: () => Promise.resolve({ status: 200, body: openApi() }),
};

/** Every route there is. */
export const ROUTES: readonly Route[] = [...TOPIC_ROUTES, ...CONTROL_ROUTES, description];

const TEXT: Json = { type: 'string', minLength: 1, maxLength: 256 };
const TIME: Json = { type: 'integer', minimum: 0, description: 'Milliseconds since 1970.' };
const OFFSET: Json = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER };

function object(
  properties: { readonly [name: string]: Json },
  required: readonly string[],
  more: { readonly [name: string]: Json } = {},
): Json {
  return { type: 'object', properties, ...(required.length === 0 ? {} : { required }), ...more };
}

/** A request: an unknown field is refused. */
const STRICT = { additionalProperties: false };

const SCHEMAS: Json = {
  Offset: OFFSET,
  Published: object(
    { offset: OFFSET, epoch: { type: 'string' }, duplicate: { type: 'boolean', description: 'It had been stored before.' } },
    ['offset', 'epoch'],
  ),
  Entry: object(
    {
      offset: OFFSET,
      producer: { type: 'string' },
      seq: OFFSET,
      from: { type: 'string', description: 'The subject that published it.' },
      at: TIME,
      data: { description: 'The payload, if it is JSON.' },
      bytes: { type: 'string', contentEncoding: 'base64', description: 'The payload, if it is bytes.' },
    },
    ['offset', 'producer', 'seq', 'from', 'at'],
  ),
  Page: object(
    {
      epoch: { type: 'string' },
      first: { ...(OFFSET as object), description: 'The first offset of the log that may be read.' },
      last: { ...(OFFSET as object), description: 'The last offset of the log.' },
      entries: { type: 'array', items: { $ref: '#/components/schemas/Entry' } },
    },
    ['epoch', 'first', 'last', 'entries'],
  ),
  Members: object(
    {
      members: {
        type: 'array',
        items: object({ subject: TEXT, client: TEXT, state: {}, since: TIME }, ['subject', 'client', 'state', 'since']),
      },
    },
    ['members'],
  ),
  TicketRequest: object(
    { subject: TEXT, expiresAt: TIME, credentialId: TEXT, claims: { description: "What the server's hooks find in the identity." } },
    [],
    STRICT,
  ),
  Ticket: object({ ticket: { type: 'string' }, expiresAt: TIME }, ['ticket', 'expiresAt']),
  RevocationRequest: object({ subject: TEXT, credentialId: TEXT, issuedBefore: TIME, until: TIME }, [], STRICT),
  DisconnectionRequest: object({ subject: TEXT, client: TEXT, session: TEXT, credentialId: TEXT, issuedBefore: TIME }, [], STRICT),
  RecheckRequest: object({ subject: TEXT }, [], STRICT),
  Disconnected: object({ connections: { type: 'integer', minimum: 0 } }, ['connections']),
  Problem: object(
    {
      type: { type: 'string' },
      title: { type: 'string' },
      status: { type: 'integer' },
      detail: { type: 'string', description: 'What went wrong.' },
      code: { type: 'string', description: 'A code of PROTOCOL.md, HF-10.' },
      hint: { type: 'string', description: 'How to mend it.' },
      retryable: { type: 'boolean', description: 'The same request may succeed later.' },
      retryAfterMs: { type: 'number' },
    },
    ['type', 'title', 'status', 'detail', 'code', 'hint', 'retryable'],
  ),
};

const PARAMETERS: Json = {
  Topic: {
    name: 'topic',
    in: 'path',
    required: true,
    description:
      'The name of a topic, such as `chat%2F42`. Its slashes may also stand as they are, `chat/42`, unless its last segment is `entries` or `members`.',
    schema: { type: 'string', minLength: 1, maxLength: 200 },
  },
  IdempotencyKey: {
    name: 'Idempotency-Key',
    in: 'header',
    description:
      'A string of 1 to 256 printable ASCII characters, in quotes or bare. The same key with the same data is stored once per topic and subject, for as long as the server remembers it (30 days by default); with other data it is refused with 422, `SEQ_CONFLICT`. A refusal that is not retryable is remembered too.',
    schema: { type: 'string' },
  },
};

/** The description, as it is served and as `docs/reference/openapi.json` has it. */
export function openApi(): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of ROUTES) (paths[route.path] ??= {})[route.method.toLowerCase()] = operationOf(route);
  return {
    openapi: '3.1.0',
    info: {
      title: 'Holdfast',
      version: '1',
      description: 'What back ends in any language use of a Holdfast server: publishing, reading, tickets, revocations.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    tags: [
      { name: 'topics', description: 'Logs and who is there.' },
      { name: 'control', description: 'Who may be connected; for back ends.' },
      { name: 'description', description: 'This document.' },
    ],
    paths,
    components: {
      schemas: SCHEMAS,
      parameters: PARAMETERS,
      responses: {
        Problem: {
          description: 'It was refused (RFC 9457). A retryable refusal has `Retry-After`.',
          headers: { 'Retry-After': { description: 'Seconds.', schema: { type: 'integer' } } },
          content: { [PROBLEM_TYPE]: { schema: { $ref: '#/components/schemas/Problem' } } },
        },
      },
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer', description: "An API key, or a user's token." } },
    },
  };
}

function operationOf({ operation, access }: Route): Json {
  const responses = { ...(operation['responses'] as Readonly<Record<string, Json>>), default: { $ref: '#/components/responses/Problem' } };
  return { ...operation, responses, security: access === 'anybody' ? [] : [{ bearer: [] }] };
}
