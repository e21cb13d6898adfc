/**
 * The messages as JSON Schema (draft 7), for documents, other languages and tests: made from the very tables that the
 * parsers check with, and from what the parsers check beside them (PROTOCOL.md HF-3 to HF-10). An entry point of its own,
 * so that no client carries it.
 *
 * A schema says less than a parser: it knows nothing of the bounds of a whole frame (HF-4.1, HF-12), and it counts the length
 * of an id in characters where the parser counts UTF-16 code units. What a parser accepts satisfies the schema.
 */

import { CLIENT_SHAPES } from './client-frames.ts';
import { ERROR_CODES } from './codes.ts';
import type { Json } from './json.ts';
import { DEFAULT_LIMITS, LIMIT_MEANINGS, type Limits } from './limits.ts';
import type { ClientMessage, ServerMessage } from './messages.ts';
import { KEY_LENGTH_MAX, NAME_PATTERN, TOPIC_LENGTH_MAX, TOPIC_PATTERN } from './names.ts';
import { READ_PAGE, SERVER_SHAPES } from './server-frames.ts';
import {
  booleanField,
  countField,
  idField,
  jsonField,
  keyField,
  listOf,
  nameField,
  nested,
  seqField,
  textField,
  topicField,
  type Field,
  type Shape,
} from './shape.ts';

/** A schema: its keywords. */
export type JsonSchema = { readonly [keyword: string]: Json };

const INTEGER = { type: 'integer', maximum: Number.MAX_SAFE_INTEGER } as const;
/** RFC 4648 section 4, with padding, and with zeros in the bits that stand for nothing. */
const BASE64 = '^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$';

/** By the test that the parser makes; a description is added where the field's own words say more than the keywords. */
const KINDS: ReadonlyMap<Field['test'], JsonSchema> = new Map<Field['test'], JsonSchema>([
  [topicField.test, described(topicField, { type: 'string', maxLength: TOPIC_LENGTH_MAX, pattern: pattern(TOPIC_PATTERN) })],
  [nameField.test, described(nameField, { type: 'string', pattern: pattern(NAME_PATTERN) })],
  [keyField.test, described(keyField, { type: 'string', maxLength: KEY_LENGTH_MAX, pattern: pattern(TOPIC_PATTERN) })],
  [
    idField.test,
    described(idField, {
      anyOf: [
        { type: 'string', minLength: 1, maxLength: 64 },
        { ...INTEGER, minimum: Number.MIN_SAFE_INTEGER },
      ],
    }),
  ],
  [countField.test, { ...INTEGER, minimum: 0 }],
  [seqField.test, { ...INTEGER, minimum: 1 }],
  [textField.test, { type: 'string' }],
  [booleanField.test, { type: 'boolean' }],
  [jsonField.test, described(jsonField, {})],
]);
const LIST = listOf({}).test;
const OBJECT = nested({}).test;

function described({ want }: Field, schema: JsonSchema): JsonSchema {
  return { description: `${want[0]!.toUpperCase()}${want.slice(1)}.`, ...schema };
}

/** Some readers of patterns refuse an escape that is not needed. */
function pattern({ source }: RegExp): string {
  return source.replaceAll('\\/', '/');
}

/** Throws for a field of a kind that has no schema yet. */
function fieldSchema({ test, names, shape, want }: Field): JsonSchema {
  if (names !== undefined) return { enum: names };
  if (test === LIST) return { type: 'array', items: shapeSchema(shape!) };
  if (test === OBJECT) return shapeSchema(shape!);
  const schema = KINDS.get(test);
  if (schema === undefined) throw new Error(`no schema for ${want}`);
  return schema;
}

/** The schema of an object with these fields; others may stand beside them (HF-1.5). */
function shapeSchema(shape: Shape): JsonSchema {
  const fields = Object.entries(shape);
  const properties = Object.fromEntries(fields.map(([name, field]) => [name, fieldSchema(field)]));
  return { type: 'object', required: fields.filter(([, { optional }]) => !optional).map(([name]) => name), properties };
}

/** What is required and known beside the table. */
function extended(schema: JsonSchema, properties: JsonSchema, rule: JsonSchema = {}): JsonSchema {
  return { ...schema, properties: { ...(schema['properties'] as JsonSchema), ...properties }, ...rule };
}

/** That exactly one of these fields is there. */
function either(...names: string[]): JsonSchema {
  return { oneOf: names.map((name) => ({ required: [name] })) };
}

/** HF-1.6: what a payload's two fields may hold. */
const PAYLOAD: JsonSchema = {
  data: { description: 'A payload that is JSON.' },
  bytes: { description: 'A payload of bytes, in base64 (RFC 4648 section 4, with padding).', type: 'string', pattern: BASE64 },
};

const CLIENT_RULES: { readonly [Type in ClientMessage['type']]?: (schema: JsonSchema) => JsonSchema } = {
  publish: (schema) =>
    extended(
      schema,
      {
        ...PAYLOAD,
        entries: {
          description: 'The payloads of an atomic publish, as many as limits.entriesPerPublishMax at the most.',
          type: 'array',
          minItems: 1,
          items: { type: 'object', properties: PAYLOAD, ...either('data', 'bytes') },
        },
      },
      either('data', 'bytes', 'entries'),
    ),
  read: (schema) => ({ ...schema, ...either('after', 'before') }),
  register: (schema) => ({
    ...schema,
    if: { properties: { merge: { const: 'max' } } },
    // oxlint-disable-next-line unicorn/no-thenable -- the keyword's name
    then: { properties: { value: { type: 'number' } } },
  }),
};

const SERVER_RULES: { readonly [Type in ServerMessage['type']]?: (schema: JsonSchema) => JsonSchema } = {
  welcome: (schema) => extended(schema, { limits: limitsSchema((schema['properties'] as { readonly limits: JsonSchema }).limits) }),
  entry: withPayload,
  presence: (schema) => ({
    ...schema,
    oneOf: [
      { properties: { event: { const: 'members' } }, required: ['members'] },
      { properties: { event: { enum: ['enter', 'update', 'leave'] } }, required: ['member'] },
    ],
  }),
  error: (schema) =>
    extended(schema, {
      code: {
        description: 'A code of HF-10, or one that only a newer server knows.',
        anyOf: [{ enum: Object.keys(ERROR_CODES) }, { type: 'string' }],
      },
    }),
};

function withPayload(schema: JsonSchema): JsonSchema {
  return extended(schema, PAYLOAD, either('data', 'bytes'));
}

function limitsSchema(schema: JsonSchema): JsonSchema {
  const fields = Object.entries(schema['properties'] as { readonly [Name in keyof Limits]: JsonSchema });
  return {
    ...schema,
    properties: Object.fromEntries(
      fields.map(([name, limit]) => {
        const known = name as keyof Limits;
        return [name, { description: LIMIT_MEANINGS[known], default: DEFAULT_LIMITS[known], ...limit }];
      }),
    ),
  };
}

function messageSchemas<Type extends string>(
  shapes: Readonly<Record<Type, Shape>>,
  rules: { readonly [Key in Type]?: (schema: JsonSchema) => JsonSchema },
): Readonly<Record<Type, JsonSchema>> {
  const schemas = (Object.keys(shapes) as Type[]).map((type) => {
    const schema = shapeSchema(shapes[type]);
    const ruled = rules[type]?.(schema) ?? schema;
    const typed = {
      ...ruled,
      required: ['type', ...(ruled['required'] as readonly string[])],
      properties: { type: { const: type }, ...(ruled['properties'] as JsonSchema) },
    };
    return [type, typed];
  });
  return Object.fromEntries(schemas) as Record<Type, JsonSchema>;
}

/** The text frame of each message of a client, by its type. */
export const CLIENT_SCHEMAS: Readonly<Record<ClientMessage['type'], JsonSchema>> = messageSchemas(CLIENT_SHAPES, CLIENT_RULES);

/** The text frame of each message of a server, by its type. */
export const SERVER_SCHEMAS: Readonly<Record<ServerMessage['type'], JsonSchema>> = messageSchemas(SERVER_SHAPES, SERVER_RULES);

/** The `data` of the reply to `read` (HF-7.3). */
export const READ_PAGE_SCHEMA: JsonSchema = readPageSchema();

function readPageSchema(): JsonSchema {
  const page = shapeSchema(READ_PAGE);
  const { entries } = page['properties'] as { readonly entries: { readonly items: JsonSchema } & JsonSchema };
  return extended(page, { entries: { ...entries, items: withPayload(entries.items) } });
}

/** One field of a binary frame (HF-9), in its order. */
export interface BinaryField {
  readonly name: string;
  /** `varint`: an unsigned LEB128 number. `string`: a varint of its length in bytes, then UTF-8. `bytes`: all that is left. */
  readonly encoding: 'varint' | 'string' | 'bytes';
  readonly description?: string;
  /** It is there only if the field before it is 0. */
  readonly ifZeroBefore?: true;
}

/** A binary frame: a byte that says its kind, then its fields. */
export interface BinaryLayout {
  readonly kind: number;
  readonly fields: readonly BinaryField[];
}

/** The binary frames by the type of the message that they stand for (HF-9): `publish` of a client, `entry` of a server. */
export const BINARY_LAYOUTS: Readonly<Record<'publish' | 'entry', BinaryLayout>> = {
  publish: {
    kind: 1,
    fields: [
      { name: 'number', encoding: 'varint', description: 'The number of the topic (HF-5.2); 0: its name follows.' },
      { name: 'topic', encoding: 'string', ifZeroBefore: true },
      { name: 'producer', encoding: 'string' },
      { name: 'seq', encoding: 'varint' },
      { name: 'epoch', encoding: 'string', description: 'Empty: none.' },
      { name: 'ifHead', encoding: 'varint', description: 'One more than its value; 0: none.' },
      { name: 'bytes', encoding: 'bytes' },
    ],
  },
  entry: {
    kind: 2,
    fields: [
      { name: 'number', encoding: 'varint', description: 'The number of the topic (HF-5.2).' },
      { name: 'offset', encoding: 'varint' },
      { name: 'seq', encoding: 'varint' },
      { name: 'at', encoding: 'varint' },
      { name: 'producer', encoding: 'string' },
      { name: 'from', encoding: 'string' },
      { name: 'bytes', encoding: 'bytes' },
    ],
  },
};

/** Parts that several messages share, by a name, so that a document can refer to them. */
export const SHARED_SCHEMAS: Readonly<Record<string, JsonSchema>> = {
  topicName: fieldSchema(topicField),
  name: fieldSchema(nameField),
  registerKey: fieldSchema(keyField),
  requestId: fieldSchema(idField),
  ...sharedObjects(),
};

function sharedObjects(): Record<string, JsonSchema> {
  const propertiesOf = (schema: JsonSchema): { readonly [name: string]: JsonSchema } => schema['properties'] as never;
  const itemsOf = (schema: JsonSchema): JsonSchema => schema['items'] as JsonSchema;
  return {
    position: propertiesOf(SERVER_SCHEMAS.subscribed)['position']!,
    subscription: itemsOf(propertiesOf(CLIENT_SCHEMAS.hello)['subscribe']!),
    member: propertiesOf(SERVER_SCHEMAS.presence)['member']!,
    limits: propertiesOf(SERVER_SCHEMAS.welcome)['limits']!,
    entryRecord: itemsOf(propertiesOf(READ_PAGE_SCHEMA)['entries']!),
    readPage: READ_PAGE_SCHEMA,
  };
}
