/** The routes of topics: publishing, reading, who is there. */

import { HoldfastError, type Json } from '@holdfast/wire';
import { parseIdempotencyKey } from './idempotency-key.ts';
import { assertControl } from './control-right.ts';
import type { Answer, Route, RouteContext } from './route.ts';

const NDJSON = 'application/x-ndjson';

const TOPIC: Json = { $ref: '#/components/parameters/Topic' };

const publish: Route = {
  method: 'POST',
  path: '/v1/topics/{topic}/entries',
  access: 'identity',
  query: [],
  operation: {
    operationId: 'publish',
    summary: 'Publish an entry',
    description:
      'Stores the body as one entry and answers after the commit. A body of type `application/json` is the payload; one of any other type is a payload of bytes, except for the types of forms, which are refused. With an `Idempotency-Key` the same request may be sent as often as it takes: it is stored once.',
    tags: ['topics'],
    parameters: [TOPIC, { $ref: '#/components/parameters/IdempotencyKey' }],
    requestBody: {
      required: true,
      content: { 'application/json': { schema: {} }, 'application/octet-stream': { schema: {} } },
    },
    responses: {
      201: {
        description: 'It is stored.',
        headers: { Location: { description: 'The entry.', schema: { type: 'string' } } },
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Published' } } },
      },
      200: {
        description: 'It had been stored before under the same key.',
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Published' } } },
      },
      422: { $ref: '#/components/responses/Problem' },
    },
  },
  handle: async ({ actor, topic, headers, payload }): Promise<Answer> => {
    const idempotencyKey = parseIdempotencyKey(headers['idempotency-key']);
    const published = await actor.publish(topic, await payload(), { idempotencyKey }).catch((error: unknown) => {
      throw idempotencyKey === undefined ? error : withKey(error);
    });
    const { offset, epoch, duplicate = false } = published;
    const location = `/v1/topics/${encodeURIComponent(topic)}/entries?after=${offset - 1}&limit=1`;
    if (duplicate) return { status: 200, body: { offset, epoch, duplicate } };
    return { status: 201, body: { offset, epoch }, headers: { location } };
  },
};

/** The client knows of its key, and nothing of the producer that stands for it. */
function withKey(error: unknown): unknown {
  if (!(error instanceof HoldfastError) || error.code !== 'SEQ_CONFLICT') return error;
  return new HoldfastError('SEQ_CONFLICT', 'something else was published to this topic under this Idempotency-Key', {
    hint: 'Take a new key for other data; send the same data to repeat a request.',
  });
}

const read: Route = {
  method: 'GET',
  path: '/v1/topics/{topic}/entries',
  access: 'identity',
  query: ['after', 'before', 'limit'],
  operation: {
    operationId: 'readEntries',
    summary: 'Read entries',
    description:
      'The entries above the offset `after`, or the nearest below `before`, or without either the newest ones; ascending in all cases. A page ends at `limit`, at about the size of a frame, or where the log does. With `Accept: application/x-ndjson` one entry is one line.',
    tags: ['topics'],
    parameters: [
      TOPIC,
      { name: 'after', in: 'query', schema: { $ref: '#/components/schemas/Offset' } },
      { name: 'before', in: 'query', schema: { $ref: '#/components/schemas/Offset' } },
      { name: 'limit', in: 'query', description: 'The server has a bound of its own.', schema: { type: 'integer', minimum: 1 } },
    ],
    responses: {
      200: {
        description: 'A page of the log.',
        headers: { Link: { description: 'With `rel="next"`: the page after it, if there is more now.', schema: { type: 'string' } } },
        content: {
          'application/json': { schema: { $ref: '#/components/schemas/Page' } },
          [NDJSON]: { schema: { type: 'string' } },
        },
      },
    },
  },
  handle: async ({ actor, topic, query, headers }): Promise<Answer> => {
    const [after, before, limit] = [countOf(query, 'after'), countOf(query, 'before'), countOf(query, 'limit')];
    if (after !== undefined && before !== undefined) throw new HoldfastError('USAGE', 'give "after" or "before", not both');
    if (limit === 0) throw new HoldfastError('USAGE', '"limit" is 1 or more');
    const range = after === undefined ? { before: before ?? Number.MAX_SAFE_INTEGER } : { after };
    const page = (await actor.read(topic, range, limit)) as unknown as Page;
    const end = page.entries.at(-1)?.offset;
    const next = `/v1/topics/${encodeURIComponent(topic)}/entries?after=${end}${limit === undefined ? '' : `&limit=${limit}`}`;
    const link: Record<string, string> = end !== undefined && end < page.last ? { link: `<${next}>; rel="next"` } : {};
    if (!(headers.accept ?? '').toLowerCase().includes(NDJSON)) return { status: 200, body: page as unknown as Json, headers: link };
    const lines = page.entries.map((entry) => `${JSON.stringify(entry)}\n`).join('');
    return { status: 200, type: NDJSON, body: lines, headers: link };
  },
};

/** HF-7.3, as far as it matters here. */
interface Page {
  readonly last: number;
  readonly entries: readonly { readonly offset: number }[];
}

const members: Route = {
  method: 'GET',
  path: '/v1/topics/{topic}/members',
  access: 'identity',
  query: [],
  operation: {
    operationId: 'readMembers',
    summary: 'Who shows himself on the topic',
    tags: ['topics'],
    parameters: [TOPIC],
    responses: {
      200: {
        description: 'The members in the order of their coming.',
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Members' } } },
      },
    },
  },
  handle: async ({ actor, topic }): Promise<Answer> => ({
    status: 200,
    body: { members: (await actor.members(topic)).map(({ subject, client, state, since }) => ({ subject, client, state, since })) },
  }),
};

const remove: Route = {
  method: 'DELETE',
  path: '/v1/topics/{topic}',
  access: 'back-end',
  query: [],
  operation: {
    operationId: 'deleteTopic',
    summary: 'Delete a topic',
    description:
      'Its log begins anew; subscribers are told of a gap. Needs the right to `call` the method `holdfast/topics`, and that to publish to the topic.',
    tags: ['control'],
    parameters: [TOPIC],
    responses: { 204: { description: 'It is deleted.' } },
  },
  handle: async (context): Promise<Answer> => {
    await assertControl(context, 'topics');
    const { hub, topic } = context;
    await assertTopic(context);
    await hub.deleteTopic(topic);
    return { status: 204 };
  },
};

/** A topic of this endpoint, on which the identity may publish. */
async function assertTopic({ hub, endpoint, identity, topic }: RouteContext): Promise<void> {
  if (!endpoint.hasTopic(topic) || !hub.services.hasTopic(topic)) throw new HoldfastError('UNKNOWN_TOPIC', `no topic "${topic}" here`);
  const question = { identity, action: 'publish', topic } as const;
  await hub.services.inTime(`authorize (publish "${topic}")`, Promise.resolve(endpoint.ask(question, hub.services.clock)));
}

function countOf(query: URLSearchParams, name: string): number | undefined {
  const values = query.getAll(name);
  if (values.length === 0) return undefined;
  const count = values.length === 1 && /^\d{1,16}$/.test(values[0]!) ? Number(values[0]) : Number.NaN;
  if (Number.isSafeInteger(count)) return count;
  throw new HoldfastError('USAGE', `"${name}" is a whole number of 0 or more, given once`);
}

export const TOPIC_ROUTES: readonly Route[] = [publish, read, members, remove];
