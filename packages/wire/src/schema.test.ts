import { Ajv } from 'ajv';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeBinaryEntry, decodeBinaryPublish, encodeBinaryEntry, encodeBinaryPublish } from './binary.ts';
import { encodeClientMessage, parseClientFrame } from './client-frames.ts';
import { codeOf } from './error.testing.ts';
import type { Json } from './json.ts';
import { DEFAULT_LIMITS } from './limits.ts';
import {
  binaryPublishes,
  bytes,
  CLIENT_MESSAGES,
  clientMessages,
  entryMessages,
  entryRecords,
  jsonValues,
  SERVER_MESSAGES,
  serverMessages,
} from './messages.testing.ts';
import {
  BINARY_LAYOUTS,
  CLIENT_SCHEMAS,
  READ_PAGE_SCHEMA,
  SERVER_SCHEMAS,
  SHARED_SCHEMAS,
  type BinaryLayout,
  type JsonSchema,
} from './schema.ts';
import { encodeReadEntry, encodeServerMessage, parseReadPage, parseServerFrame } from './server-frames.ts';
import { decodeUtf8, encodeUtf8 } from './utf8.ts';

// An enum beside a string is a list of what is known, and a rule requires fields that the table names.
const ajv = new Ajv({ strict: true, strictRequired: false, strictTypes: false });

function accepts(schemas: Readonly<Record<string, JsonSchema>>): (value: Json) => boolean {
  const validate = ajv.compile({ anyOf: Object.values(schemas) });
  return (value) => validate(value);
}

const isClientFrame = accepts(CLIENT_SCHEMAS);
const isServerFrame = accepts(SERVER_SCHEMAS);
const isReadPage = accepts({ page: READ_PAGE_SCHEMA });

function parsesAsClientFrame(value: Json): boolean {
  return codeOf(() => parseClientFrame(JSON.stringify(value), DEFAULT_LIMITS, () => undefined)) === undefined;
}

function parsesAsServerFrame(value: Json): boolean {
  let message: unknown;
  return codeOf(() => (message = parseServerFrame(JSON.stringify(value), () => undefined))) === undefined && message !== undefined;
}

/** What a field may be changed to: what some field wants, and what none does. */
const values: fc.Arbitrary<Json | undefined> = fc.oneof(
  fc.constant(undefined),
  fc.constantFrom<Json>(null, true, 0, 1, -1, 1.5, 2 ** 53, '', 'a', 'a/b', 'a b', 'AA==', 'AB==', 'x'.repeat(65), 'max', 'replace'),
  fc.constantFrom<Json>('members', 'enter', [], {}, [{}], [{ data: 1 }], [{ data: 1, bytes: '' }], [1], { epoch: 'k', offset: 0 }),
  jsonValues,
);
const FIELD_NAMES = [
  'type',
  'id',
  'data',
  'bytes',
  'entries',
  'after',
  'before',
  'merge',
  'value',
  'event',
  'members',
  'member',
  'position',
];

/** A legal frame with a field changed, taken away or added: at the top, or within an object of it. */
function changed(legal: fc.Arbitrary<string | Uint8Array>): fc.Arbitrary<Json> {
  const objects = legal.filter((frame) => typeof frame === 'string').map((frame) => JSON.parse(frame as string) as Record<string, Json>);
  return fc.tuple(objects, fc.nat(), fc.constantFrom(...FIELD_NAMES), fc.boolean(), values).map(([object, at, name, isNew, value]) => {
    const inner = Object.values(object).flatMap((child) => (Array.isArray(child) ? (child as Json[]) : [child]));
    const objectsIn = [object, object, ...inner].filter((one) => typeof one === 'object' && one !== null && !Array.isArray(one));
    const target = objectsIn[at % objectsIn.length] as Record<string, Json>;
    const keys = Object.keys(target);
    const key = isNew || keys.length === 0 ? name : keys[at % keys.length]!;
    if (value === undefined) delete target[key];
    else target[key] = value;
    return object;
  });
}

describe('HF-4.1: a schema and its parser agree', () => {
  test('every message that can be sent satisfies the schema of its type', () => {
    for (const [type, messages] of Object.entries(CLIENT_MESSAGES)) {
      const validate = ajv.compile(CLIENT_SCHEMAS[type as keyof typeof CLIENT_MESSAGES]);
      fc.assert(
        fc.property(messages, (message) => {
          const frame = encodeClientMessage(message);
          if (typeof frame !== 'string') return;
          expect([validate(JSON.parse(frame)), validate.errors]).toEqual([true, null]);
        }),
        { numRuns: 50 },
      );
    }
    for (const [type, messages] of Object.entries(SERVER_MESSAGES)) {
      const validate = ajv.compile(SERVER_SCHEMAS[type as keyof typeof SERVER_MESSAGES]);
      fc.assert(
        fc.property(messages, (message) => {
          expect([validate(JSON.parse(encodeServerMessage(message))), validate.errors]).toEqual([true, null]);
        }),
        { numRuns: 50 },
      );
    }
  });

  test('a client frame with one field changed is accepted by both or by neither', () => {
    const counts = [0, 0];
    fc.assert(
      fc.property(changed(clientMessages.map((message) => encodeClientMessage(message))), (value) => {
        const isLegal = parsesAsClientFrame(value);
        counts[Number(isLegal)]! += 1;
        expect([value, isClientFrame(value)]).toEqual([value, isLegal]);
      }),
      { numRuns: 4_000 },
    );
    // Neither case is rare.
    expect(Math.min(...counts)).toBeGreaterThan(400);
  });

  test('a server frame with one field changed is accepted by both or by neither', () => {
    const entries = entryMessages.map(({ data, ...fields }) => JSON.stringify({ ...fields, ...payload(data) }));
    const frames = fc.oneof({ weight: 9, arbitrary: serverMessages.map(encodeServerMessage) }, { weight: 1, arbitrary: entries });
    const counts = [0, 0];
    fc.assert(
      fc.property(changed(frames), (value) => {
        const isLegal = parsesAsServerFrame(value);
        counts[Number(isLegal)]! += 1;
        expect([value, isServerFrame(value)]).toEqual([value, isLegal]);
      }),
      { numRuns: 4_000 },
    );
    expect(Math.min(...counts)).toBeGreaterThan(400);
  });

  test('HF-7.3: a page of a read with one field changed is accepted by both or by neither', () => {
    const pages = fc
      .array(entryRecords, { maxLength: 3 })
      .map((entries) => JSON.stringify({ epoch: 'k', first: 1, last: 9, entries: entries.map(encodeReadEntry) }));
    fc.assert(
      fc.property(changed(pages), (value) => {
        expect([value, isReadPage(value)]).toEqual([value, codeOf(() => parseReadPage(value)) === undefined]);
      }),
      { numRuns: 1_000 },
    );
  });
});

function payload(data: unknown): object {
  return data instanceof Uint8Array ? { bytes: Buffer.from(data).toString('base64') } : { data };
}

test('HF-12: each limit is described with its default', () => {
  const { properties } = SHARED_SCHEMAS['limits'] as { properties: Record<string, JsonSchema> };
  expect(Object.fromEntries(Object.entries(properties).map(([name, { default: value }]) => [name, value]))).toEqual(DEFAULT_LIMITS);
});

/** Reads a frame by its layout alone. */
function readByLayout({ kind, fields }: BinaryLayout, frame: Uint8Array): Record<string, number | string | Uint8Array> {
  expect(frame[0]).toBe(kind);
  let at = 1;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = frame[at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  const take = (length: number): Uint8Array => frame.slice(at, (at += length));
  const read: Record<string, number | string | Uint8Array> = {};
  let before: unknown;
  for (const { name, encoding, ifZeroBefore } of fields) {
    if (ifZeroBefore === true && before !== 0) continue;
    before = read[name] = encoding === 'varint' ? varint() : encoding === 'string' ? decodeUtf8(take(varint())) : take(frame.length - at);
  }
  expect(at).toBe(frame.length);
  return read;
}

describe('HF-9: the layouts are those of the codec', () => {
  test('publish', () => {
    fc.assert(
      fc.property(binaryPublishes, fc.option(fc.integer({ min: 1 })), (message, number) => {
        const frame = encodeClientMessage(message, number ?? undefined) as Uint8Array;
        const { epoch, ifHead, ...fields } = decodeBinaryPublish(frame);
        expect(readByLayout(BINARY_LAYOUTS.publish, frame)).toEqual({
          ...fields,
          epoch: epoch ?? '',
          ifHead: ifHead === undefined ? 0 : ifHead + 1,
        });
      }),
    );
    expect(encodeBinaryPublish({ number: 1, producer: 'p', seq: 1, bytes: encodeUtf8('') })[0]).toBe(BINARY_LAYOUTS.publish.kind);
  });

  test('entry', () => {
    fc.assert(
      fc.property(entryRecords, fc.integer({ min: 1 }), bytes, ({ data: _, ...record }, number, content) => {
        const frame = encodeBinaryEntry({ ...record, number, bytes: content });
        expect(readByLayout(BINARY_LAYOUTS.entry, frame)).toEqual(decodeBinaryEntry(frame));
      }),
    );
  });
});
