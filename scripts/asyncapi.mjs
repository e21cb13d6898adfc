/**
 * docs/reference/asyncapi.json: the protocol as an AsyncAPI 3.0 document, from the server's side (it *receives* what clients
 * send). Made from the built package `wire` (schemas, layouts, codes, limits), from `asyncapi-messages.mjs`, and from the
 * frames that PROTOCOL.md shows. Without an argument the file is brought up to date; `--check` changes nothing and fails if
 * it differs.
 */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { pathToFileURL } from 'node:url';
import { CLIENT_NOTES, SERVER_NOTES } from './asyncapi-messages.mjs';
import { conclude, isMain, root } from './workspace.mjs';

const OUTPUT = 'docs/reference/asyncapi.json';
const EXAMPLES_MAX = 3;
const CHANNEL = { $ref: '#/channels/connection' };

const DESCRIPTION = `One WebSocket between a client and a server: ordered, durable topics whose readers hold their own positions.
Text frames are JSON objects with a field \`type\`; payloads of bytes travel in two kinds of binary frames.
The operations are the server's: it *receives* what clients send, and *sends* what clients receive.
A receiver ignores fields that it does not know, a client also messages of a type that it does not know (HF-1.5).
What may be said when, in which order, and what each side promises is in PROTOCOL.md, whose clauses are named here as HF-n.`;

const HEADERS = {
  type: 'object',
  properties: {
    'Sec-WebSocket-Protocol': {
      type: 'string',
      description: 'holdfast.v1 (HF-2.1); beside it, where a client can send its token no other way, holdfast.token.<token> (HF-3.10).',
      examples: ['holdfast.v1', 'holdfast.v1, holdfast.token.eyJhbGciOi...'],
    },
    Authorization: { type: 'string', description: 'Credentials of the upgrade, where the server takes them (HF-3.10).' },
    Cookie: { type: 'string', description: 'The same, from an origin that may connect (HF-3.10).' },
    Origin: { type: 'string', description: 'Of the page in a browser; a foreign one is refused with ORIGIN_REFUSED and 4002 (HF-2.5).' },
  },
};

/** The frames that a text of the protocol shows: `{from, value}` or, in binary, `{from, hex}`. What is no JSON is left out. */
export function framesOf(text) {
  const frames = [];
  for (const [, mark, frame] of text.matchAll(/^([CS<>]) (\{.*\}|\(binary\) [\da-f]+)$/gm)) {
    const from = mark === 'C' || mark === '>' ? 'client' : 'server';
    if (frame.startsWith('(')) frames.push({ from, hex: frame.slice('(binary) '.length) });
    else {
      try {
        frames.push({ from, value: JSON.parse(frame) });
      } catch {
        // Shortened with dots.
      }
    }
  }
  return frames;
}

/** The schema with each part that has a name replaced by a reference to it. */
export function withReferences(schema, named) {
  if (typeof schema !== 'object' || schema === null) return schema;
  if (Array.isArray(schema)) return schema.map((item) => withReferences(item, named));
  const found = Object.entries(named).find(([, part]) => isDeepStrictEqual(part, schema));
  if (found !== undefined) return { $ref: `#/components/schemas/${found[0]}` };
  return Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, withReferences(value, named)]));
}

function capitalised(text) {
  return text[0].toUpperCase() + text.slice(1);
}

/** Notes and schemas must name the same messages. */
function assertSameTypes(side, notes, schemas) {
  const [noted, known] = [Object.keys(notes).sort(), Object.keys(schemas).sort()];
  if (!isDeepStrictEqual(noted, known))
    throw new Error(`asyncapi-messages.mjs: of the ${side} ${noted.join(' ')} where the code has ${known.join(' ')}`);
}

/** The messages of one side, by the name `side.type`. */
function messagesOf(side, notes, schemas, named, frames) {
  assertSameTypes(side, notes, schemas);
  return Object.entries(notes).map(([type, { summary, clause, example }]) => {
    const shown = frames.filter(({ from, value }) => from === side && value?.type === type).map(({ value }) => value);
    const examples = example === undefined ? shown.slice(0, EXAMPLES_MAX) : [example];
    if (examples.length === 0) throw new Error(`asyncapi-messages.mjs: no example of "${type}", and none in PROTOCOL.md`);
    const schema = schemas[type];
    const message = {
      name: type,
      title: `${type} (${side === 'client' ? 'C to S' : 'S to C'})`,
      summary,
      description: `PROTOCOL.md ${clause}.`,
      contentType: 'application/json',
      ...('id' in schema.properties ? { correlationId: { location: '$message.payload#/id' } } : {}),
      payload: withReferences(schema, named),
      examples: examples.map((payload) => ({ payload })),
    };
    return [`${side}.${type}`, message];
  });
}

function binaryMessage(side, type, layout, frames) {
  const kind = `0x${layout.kind.toString(16).padStart(2, '0')}`;
  const example = frames.find(({ from, hex }) => from === side && hex !== undefined)?.hex;
  const message = {
    name: type,
    title: `${type}, binary (${side === 'client' ? 'C to S' : 'S to C'})`,
    summary: `A \`${type}\` of bytes: the byte ${kind}, then the fields of x-layout.`,
    description:
      'PROTOCOL.md HF-9. A varint is an unsigned LEB128 number of at most 8 bytes and at most 2^53 - 1; a string is a varint of its length in bytes, then UTF-8.',
    contentType: 'application/octet-stream',
    payload: { type: 'string', format: 'binary' },
    'x-layout': layout,
    ...(example === undefined ? {} : { 'x-example-hex': example }),
  };
  return [`${side}.${type}.binary`, message];
}

const channelMessage = (name) => ({ $ref: `#/channels/connection/messages/${name}` });

function operationsOf(side, notes, layouts) {
  const action = side === 'client' ? 'receive' : 'send';
  return Object.entries(notes).map(([type, { summary, clause, answers = [] }]) => {
    const names = [
      `${side}.${type}`,
      ...(type in layouts && (side === 'client') === (type === 'publish') ? [`${side}.${type}.binary`] : []),
    ];
    const operation = {
      action,
      channel: CHANNEL,
      summary,
      description: `PROTOCOL.md ${clause}.`,
      messages: names.map(channelMessage),
      ...(answers.length === 0
        ? {}
        : { reply: { channel: CHANNEL, messages: answers.map((answer) => channelMessage(`server.${answer}`)) } }),
    };
    return [`${action}${capitalised(type)}`, operation];
  });
}

/** The document, from the exports of `wire`, of its schemas and of its texts, and from the text of PROTOCOL.md. */
export function documentOf(wire, protocol) {
  const {
    ERROR_CODES,
    ERROR_TEXTS,
    CLOSE_CODES,
    CLOSE_TEXTS,
    closeAdvice,
    CLIENT_SCHEMAS,
    SERVER_SCHEMAS,
    SHARED_SCHEMAS,
    BINARY_LAYOUTS,
  } = wire;
  const frames = framesOf(protocol);
  const messages = Object.fromEntries([
    ...messagesOf('client', CLIENT_NOTES, CLIENT_SCHEMAS, SHARED_SCHEMAS, frames),
    binaryMessage('client', 'publish', BINARY_LAYOUTS.publish, frames),
    ...messagesOf('server', SERVER_NOTES, SERVER_SCHEMAS, SHARED_SCHEMAS, frames),
    binaryMessage('server', 'entry', BINARY_LAYOUTS.entry, frames),
  ]);
  const schemas = Object.entries(SHARED_SCHEMAS).map(([name, schema]) => {
    const { [name]: _itself, ...others } = SHARED_SCHEMAS;
    return [name, withReferences(schema, others)];
  });
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'The Holdfast protocol',
      version: '1',
      description: DESCRIPTION,
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
    defaultContentType: 'application/json',
    servers: {
      local: {
        host: 'localhost:8080',
        protocol: 'ws',
        protocolVersion: '13',
        description: 'What `holdfast serve` starts on this machine.',
      },
    },
    channels: {
      connection: {
        address: '/',
        title: 'The connection',
        description: 'A server may serve several paths, each with its own topics, rights and handlers (HF-2.2).',
        messages: Object.fromEntries(Object.keys(messages).map((name) => [name, { $ref: `#/components/messages/${name}` }])),
        bindings: { ws: { method: 'GET', headers: HEADERS, bindingVersion: '0.1.0' } },
      },
    },
    operations: Object.fromEntries([
      ...operationsOf('client', CLIENT_NOTES, BINARY_LAYOUTS),
      ...operationsOf('server', SERVER_NOTES, BINARY_LAYOUTS),
    ]),
    components: { messages, schemas: Object.fromEntries(schemas) },
    'x-error-codes': Object.entries(ERROR_CODES).map(([code, { retryable, source }]) => ({
      code,
      retryable,
      source,
      ...ERROR_TEXTS[code],
    })),
    'x-close-codes': Object.entries(CLOSE_CODES).map(([name, { code }]) => ({
      code,
      name,
      meaning: CLOSE_TEXTS[name],
      advice: closeAdvice(code),
    })),
  };
}

async function main() {
  const files = ['index.js', 'schema.js', 'code-texts.js'].map((file) => join(root, 'packages/wire/dist', file));
  if (!files.every((file) => existsSync(file))) return conclude(['packages/wire is not built: npm run build'], '');
  const modules = await Promise.all(files.map((file) => import(pathToFileURL(file).href)));
  const document = documentOf(Object.assign({}, ...modules), readFileSync(join(root, 'PROTOCOL.md'), 'utf8'));
  const text = `${JSON.stringify(document, null, 2)}\n`;
  const path = join(root, OUTPUT);
  if (!process.argv.includes('--check')) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  } else if (!existsSync(path) || readFileSync(path, 'utf8') !== text) {
    return conclude([`${OUTPUT} is not what the code and PROTOCOL.md make: node scripts/asyncapi.mjs`], '');
  }
  const count = Object.keys(document.components.messages).length;
  return conclude([], `${OUTPUT}: ${count} messages, ${document['x-error-codes'].length} error codes`);
}

if (isMain(import.meta)) await main();
