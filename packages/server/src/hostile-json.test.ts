/**
 * JSON that means harm, over real sockets: what it costs is an error and nothing else (PROTOCOL.md HF-4.1), and the next
 * frame is carried out. The parser by itself is examined in `packages/wire/src/json.test.ts`.
 */

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Hub } from './hub.ts';
import { RawClient, rawFrame } from './raw-client.testing.ts';
import { endAll, newHub, start } from './real-peer.testing.ts';

/** Room for a million keys, so that nothing but the limit under test can refuse. */
const FRAME_BYTES = 33_554_432;

let hub: Hub;
let client: RawClient;

beforeEach(async () => {
  hub = newHub({ limits: { frameBytesMax: FRAME_BYTES, connectionBytesPerSecond: Infinity, subjectBytesPerSecond: Infinity } });
  const { port } = await start({ hub });
  client = await RawClient.welcomed(port);
});

afterEach(endAll);

function publish(seq: number, data: string): string {
  return `{"type":"publish","topic":"t","producer":"p","seq":${seq},"data":${data}}`;
}

async function stored(): Promise<readonly unknown[]> {
  const page = await hub.services.store.read('t', { after: 0 }, { countMax: 1_000, bytesMax: FRAME_BYTES });
  return page?.entries.map(({ payload }) => payload) ?? [];
}

describe('costs its error, stores nothing, spends no seq, and the next frame is carried out', () => {
  const millionKeys = Array.from({ length: 1_000_000 }, (_, at) => `"k${at}":1`).join(',');

  test.each<[string, string, string]>([
    ['100,000 levels of arrays (depthMax 32)', `${'['.repeat(100_000)}${']'.repeat(100_000)}`, 'TOO_DEEP'],
    ['100,000 levels of objects (depthMax 32)', `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`, 'TOO_DEEP'],
    ['100,000 levels that are never closed', '['.repeat(100_000), 'BAD_JSON'],
    ['1,000,000 keys (keysMax 16,384)', `{${millionKeys}}`, 'TOO_MANY_KEYS'],
    ['1,000,000 items (keysMax 16,384)', `[${'0,'.repeat(999_999)}0]`, 'TOO_MANY_KEYS'],
    ['__proto__', '{"__proto__":{"isAdmin":true}}', 'FORBIDDEN_KEY'],
    ['__proto__ in escapes, far down', String.raw`{"a":[{"\u005f_proto\u005f_":{"isAdmin":true}}]}`, 'FORBIDDEN_KEY'],
    ['a number without end', `1${'0'.repeat(1_000_000)}x`, 'BAD_JSON'],
    ['a number beyond what a double holds', '1e999', 'BAD_JSON'],
    ['half an escape', String.raw`"\u12"`, 'BAD_JSON'],
  ])('%s', async (_name, data, code) => {
    client.send(publish(1, data));
    const refusal = await client.message();
    expect(refusal).toMatchObject({ type: 'error', code, retryable: false });
    // The complaint repeats nothing of any length.
    expect(JSON.stringify(refusal).length).toBeLessThan(700);
    expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined();
    client.send(publish(1, '"well"'));
    expect(await client.message()).toMatchObject({ type: 'ack', seq: 1, offset: 1 });
    expect(await stored()).toEqual(['"well"']);
  });
});

describe('is what it is', () => {
  test('keys that objects have by themselves come back as they went', async () => {
    const data = '{"constructor":{"prototype":{"isAdmin":true}},"toString":1,"hasOwnProperty":null}';
    client.send({ type: 'subscribe', id: 1, topic: 't' });
    expect(await client.message()).toMatchObject({ type: 'subscribed' });
    client.send(publish(1, data));
    expect(JSON.stringify((await client.message())['data'])).toBe(data);
    expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined();
  });

  test('1,000,000 escapes are one string of 1,000,000 characters, stored as it came', async () => {
    const data = `"${String.raw`\u0000`.repeat(1_000_000)}"`;
    client.send(publish(1, data));
    expect(await client.message()).toMatchObject({ type: 'ack', offset: 1 });
    expect(JSON.parse((await stored())[0] as string)).toHaveLength(1_000_000);
  });

  test('a lone surrogate in an escape goes through as it is, and harms no reader', async () => {
    client.send({ type: 'subscribe', id: 1, topic: 't' });
    await client.message();
    client.send(publish(1, String.raw`"a\ud800b"`));
    expect(await client.message()).toMatchObject({ type: 'entry', data: 'a\ud800b' });
  });
});

describe('numbers beyond safe integers are no offsets, seqs, credits or revisions: BAD_FRAME', () => {
  test.each([
    '{"type":"publish","topic":"t","producer":"p","seq":9007199254740993,"data":1}',
    '{"type":"publish","topic":"t","producer":"p","seq":1e300,"data":1}',
    '{"type":"publish","topic":"t","producer":"p","seq":-1,"data":1}',
    '{"type":"publish","topic":"t","producer":"p","seq":1.5,"data":1}',
    '{"type":"publish","topic":"t","producer":"p","seq":1,"ifHead":9007199254740993,"data":1}',
    '{"type":"subscribe","id":1,"topic":"t","credit":9007199254740993}',
    '{"type":"subscribe","id":1,"topic":"t","last":1e308}',
    '{"type":"subscribe","id":1,"topic":"t","position":{"epoch":"e","offset":9007199254740993,"revision":0}}',
    '{"type":"credit","topic":"t","upTo":9007199254740993}',
    '{"type":"read","id":1,"topic":"t","after":1e308}',
    '{"type":"register","id":1,"topic":"t","key":"k","merge":"replace","value":1,"ifRevision":9007199254740993}',
  ])('%s', async (frame) => {
    client.send(frame);
    expect(await client.message()).toMatchObject({ type: 'error', code: 'BAD_FRAME' });
    client.send('{"type":"ping","id":2}');
    expect(await client.message()).toEqual({ type: 'pong', id: 2 });
    expect(await stored()).toEqual([]);
  });
});

describe('text that is no UTF-8 ends the connection with 1007, and nothing of it is stored', () => {
  test.each<[string, number[]]>([
    ['a byte of no character', [0xff]],
    ['a character of one byte in two', [0xc0, 0xaf]],
    ['a surrogate in three bytes', [0xed, 0xa0, 0x80]],
    ['beyond the last character', [0xf4, 0x90, 0x80, 0x80]],
    ['half a character', [0xe2, 0x82]],
  ])('%s', async (_name, bytes) => {
    const [head, tail] = publish(1, '"?"').split('?');
    client.write(rawFrame(Buffer.concat([Buffer.from(head!), Buffer.from(bytes), Buffer.from(tail!)])));
    expect(await client.closeCode()).toBe(1007);
    expect(await stored()).toEqual([]);
  });
});
