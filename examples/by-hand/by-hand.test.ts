/** PROTOCOL.md HF-14: the session that is printed there, typed again by a plain WebSocket client into a real server. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createHub, createMemoryStore, listen } from '@holdfast/server';
import { test } from 'vitest';
import { WebSocket } from 'ws';

const protocol = readFileSync(new URL('../../PROTOCOL.md', import.meta.url), 'utf8');
const chapter = protocol.slice(protocol.indexOf('## HF-14'), protocol.indexOf('## HF-15'));
const lines = chapter.split('\n').filter((line) => /^[<>] |^Connection closed/.test(line));

/** What differs from run to run: names, times, and the wording of the JSON parser of this version of Node. */
function masked(text: string): string {
  return text
    .replace(/"(session|epoch)":"[a-z0-9]+"/g, '"$1":"*"')
    .replace(/"(time|at)":\d+/g, '"$1":0')
    .replace(/"not JSON: .*?[^\\]"/, '"not JSON"');
}

/** An entry's frame (HF-9) without its time, six bytes until the year 2109: kind, topic, offset, seq; producer, from and bytes. */
function maskedBinary(hex: string): string {
  return `${hex.slice(0, 8)} ... ${hex.slice(20)}`;
}

test('HF-14: the session of the document is what a server answers', async () => {
  const server = await listen({ hub: createHub({ store: createMemoryStore() }), port: 0 });
  const socket = new WebSocket(server.url);
  const received: string[] = [];
  let wake = (): void => {};
  socket.on('message', (data: Buffer, isBinary: boolean) => {
    received.push(isBinary ? `(binary) ${data.toString('hex')}` : data.toString());
    wake();
  });
  const closed = once(socket, 'close') as Promise<[number, Buffer]>;
  await once(socket, 'open');

  let compared = 0;
  for (const line of lines) {
    if (line.startsWith('> ')) socket.send(line.slice(2));
    else if (line.startsWith('< ')) {
      while (received.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      const [expected, actual] = [line.slice(2), received.shift()!];
      if (expected.startsWith('(binary) ')) assert.equal(maskedBinary(actual.slice(9)), maskedBinary(expected.slice(9)));
      else assert.equal(masked(actual), masked(expected));
      compared += 1;
    } else {
      const [code, reason] = await closed;
      assert.equal(line, `Connection closed: ${code} (private use) ${reason.toString()}.`);
    }
  }
  assert.equal(compared, 15);
  assert.deepEqual(received, []);
  await server.close();
});
