/** HF-13.4 over real sockets, against a real server. */

import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { holdfast, startServer } from './program.testing.ts';

/** A client as anybody would write it: JSON in, JSON out. */
class PlainChat {
  readonly #socket: WebSocket;
  readonly #received: unknown[] = [];
  #wake: () => void = () => {};

  constructor(port: number) {
    this.#socket = new WebSocket(`ws://127.0.0.1:${port}/plain`);
    this.#socket.on('message', (data: Buffer) => {
      this.#received.push(JSON.parse(data.toString()));
      this.#wake();
    });
    onTestFinished(() => this.#socket.terminate());
  }

  async send(message: object | string): Promise<void> {
    if (this.#socket.readyState !== WebSocket.OPEN) await new Promise((resolve) => this.#socket.once('open', resolve));
    this.#socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  async next(): Promise<unknown> {
    while (this.#received.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.#received.shift();
  }
}

describe('/plain (HF-13.4)', () => {
  test('a message is published, followed, and comes back with its place to everybody who joined', async () => {
    const { port, url } = await startServer(['--memory']);
    const [ann, bob] = [new PlainChat(port), new PlainChat(port)];
    await bob.send({ type: 'join', conversationId: '42' });
    // An answer to what cannot be done shows that what came before it is done.
    await bob.send({ type: 'join' });
    expect(await bob.next()).toMatchObject({ type: 'error', code: 'BAD_FRAME' });

    const message = { type: 'message', conversationId: '42', text: 'hello', timestamp: 1_767_225_600_000, more: [1] };
    await ann.send(message);
    const placed = { ...message, offset: 1, from: expect.stringMatching(/^guest-/) };
    expect(await ann.next()).toEqual(placed);
    expect(await bob.next()).toEqual(placed);

    await bob.send({ ...message, text: 'hi', from: 'somebody else', offset: 99 });
    const [atAnn, atBob] = [await ann.next(), await bob.next()];
    expect(atAnn).toEqual({ ...message, text: 'hi', offset: 2, from: expect.stringMatching(/^guest-/) });
    expect(atBob).toEqual(atAnn);

    const { stdout } = await holdfast(['tail', 'chat/42', '--from', '1', '--count', '1', '--json', '--url', url]);
    expect(JSON.parse(stdout)).toMatchObject({ offset: 1, data: message });
  });

  test('what others publish in another shape is told as such', async () => {
    const { port, url } = await startServer(['--memory']);
    const ann = new PlainChat(port);
    await ann.send({ type: 'message', conversationId: 7, text: 'first' });
    expect(await ann.next()).toMatchObject({ conversationId: 7, text: 'first', offset: 1 });
    await holdfast(['publish', 'chat/7', '--text', 'plain text', '--url', url, '--token', 'bob']);
    expect(await ann.next()).toEqual({ type: 'data', conversationId: 7, data: 'plain text', from: 'bob', offset: 2 });
    await holdfast(['publish', 'chat/7', '--file', new URL(import.meta.url).pathname, '--url', url, '--token', 'bob']);
    expect(await ann.next()).toMatchObject({
      type: 'bytes',
      conversationId: 7,
      bytes: expect.stringMatching(/^[A-Za-z0-9+/]+=*$/),
      offset: 3,
    });
  });

  test.each([
    [{ type: 'message', conversationId: '42' }, 'BAD_FRAME', /"text"/],
    [{ type: 'message', text: 'x' }, 'BAD_FRAME', /"conversationId"/],
    [{ type: 'join', conversationId: 'a b' }, 'BAD_FRAME', /"conversationId"/],
    [{ type: 'leave' }, 'UNKNOWN_TYPE', /leave/],
    ['hello', 'BAD_FRAME', /JSON object/],
  ])('%j is answered with an error', async (message, code, text) => {
    const { port } = await startServer(['--memory']);
    const chat = new PlainChat(port);
    await chat.send(message);
    expect(await chat.next()).toEqual({ type: 'error', code, message: expect.stringMatching(text) });
  });
});
