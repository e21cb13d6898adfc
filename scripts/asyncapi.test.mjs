import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Parser } from '@asyncapi/parser';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import * as wire from '../packages/wire/src/index.ts';
import * as schemas from '../packages/wire/src/schema.ts';
import * as texts from '../packages/wire/src/code-texts.ts';
import { documentOf, framesOf, withReferences } from './asyncapi.mjs';
import { root } from './workspace.mjs';

const PROTOCOL = readFileSync(join(root, 'PROTOCOL.md'), 'utf8');
const EXPORTS = { ...wire, ...schemas, ...texts };
const document = documentOf(EXPORTS, PROTOCOL);

/** What is wrong with a value, by the document's own schema of a message; `null` if nothing. */
const ajv = new Ajv({ strict: false });
ajv.addSchema(document, 'asyncapi');
function faults(name, value) {
  const validate = ajv.getSchema(`asyncapi#/components/messages/${name}/payload`);
  return validate(value) ? null : validate.errors;
}

describe('framesOf', () => {
  it('finds what either side sends, in JSON and in hex, and leaves out what is shortened', () => {
    const text =
      'C {"type":"ping"}\n> hello?\n< {"type":"pong"}\n< (binary) 0201ff\nS {"type":"welcome",...}\n text {"a":1}\nConnection closed: 4000\n';
    expect(framesOf(text)).toEqual([
      { from: 'client', value: { type: 'ping' } },
      { from: 'server', value: { type: 'pong' } },
      { from: 'server', hex: '0201ff' },
    ]);
  });
});

describe('withReferences', () => {
  it('names the largest part that has a name, and changes nothing else', () => {
    const named = { id: { type: 'string' }, pair: { properties: { a: { type: 'string' } } } };
    expect(withReferences({ items: { properties: { a: { type: 'string' } } }, anyOf: [{ type: 'string' }, null, 1] }, named)).toEqual({
      items: { $ref: '#/components/schemas/pair' },
      anyOf: [{ $ref: '#/components/schemas/id' }, null, 1],
    });
  });
});

describe('the AsyncAPI document', () => {
  it('satisfies the public validator, which finds every message in it', async () => {
    const { document: parsed, diagnostics } = await new Parser().parse(JSON.stringify(document));
    // 0 is an error, 1 a warning; below that it tells of later versions of AsyncAPI.
    expect(diagnostics.filter(({ severity }) => Number(severity) <= 1)).toEqual([]);
    const ids = (operations) => operations.flatMap((operation) => operation.messages().map((message) => message.id()));
    const operations = parsed.operations().all();
    const received = ids(operations.filter((operation) => operation.isReceive()));
    const sent = ids(operations.filter((operation) => operation.isSend()));
    const named = (side, table) => Object.keys(table).map((type) => `${side}.${type}`);
    expect(received.sort()).toEqual([...named('client', schemas.CLIENT_SCHEMAS), 'client.publish.binary'].sort());
    expect(sent.sort()).toEqual([...named('server', schemas.SERVER_SCHEMAS), 'server.entry.binary'].sort());
  });

  it('has an example of each text message, and each satisfies its schema', () => {
    for (const [name, { examples, contentType }] of Object.entries(document.components.messages)) {
      if (contentType !== 'application/json') continue;
      expect([name, examples.length > 0]).toEqual([name, true]);
      for (const { payload } of examples) expect([name, faults(name, payload)]).toEqual([name, null]);
    }
  });

  it('refuses what is not legal', () => {
    expect(faults('client.hello', { type: 'hello', client: 'a b' })).toMatchObject([{ instancePath: '/client', keyword: 'pattern' }]);
    expect(faults('client.publish', { type: 'publish', topic: 't', producer: 'p', seq: 1 })).not.toBeNull();
    expect(faults('server.ack', { type: 'ack', topic: 't', producer: 'p', seq: 0, offset: 1, epoch: 'k' })).not.toBeNull();
  });

  it('HF-3, HF-6, HF-14: every frame that PROTOCOL.md shows satisfies the schema of its type', () => {
    const frames = framesOf(PROTOCOL);
    for (const { from, value, hex } of frames)
      if (hex === undefined) expect([value, faults(`${from}.${value.type}`, value)]).toEqual([value, null]);
    const [session] = /^## HF-14[^]*?(?=^## HF-15)/m.exec(PROTOCOL);
    // One line is there because it is no JSON.
    expect(framesOf(session).length).toBe(session.match(/^[<>] /gm).length - 1);
    expect(frames.length).toBeGreaterThan(framesOf(session).length + 3);
  });

  it('HF-9: its binary example is an entry in the layout that it describes', () => {
    const { 'x-example-hex': hex, 'x-layout': layout } = document.components.messages['server.entry.binary'];
    const frame = Buffer.from(hex, 'hex');
    expect(frame[0]).toBe(layout.kind);
    expect(wire.parseServerFrame(new Uint8Array(frame), (number) => (number === 1 ? 'chat/42' : undefined))).toMatchObject({
      type: 'entry',
      topic: 'chat/42',
      offset: 3,
      from: 'alice',
    });
  });

  it('HF-10, HF-11: it has every code, with the words for it', () => {
    expect(document['x-error-codes'].map(({ code }) => code)).toEqual(Object.keys(wire.ERROR_CODES));
    expect(document['x-close-codes'].map(({ code }) => code)).toEqual(Object.values(wire.CLOSE_CODES).map(({ code }) => code));
    const words = [...document['x-error-codes'], ...document['x-close-codes']].flatMap(({ meaning, hint = meaning }) => [meaning, hint]);
    expect(words.filter((word) => typeof word !== 'string' || !word.endsWith('.'))).toEqual([]);
  });

  it('is refused for a message that nothing is said about, and without an example', () => {
    const { ping: _, ...others } = schemas.CLIENT_SCHEMAS;
    expect(() => documentOf({ ...EXPORTS, CLIENT_SCHEMAS: others }, PROTOCOL)).toThrow('of the client');
    expect(() => documentOf(EXPORTS, '')).toThrow('no example of "hello"');
  });
});
