/**
 * What runs on Hermes: a channel over a WebSocket as React Native has it, and a client over a network in memory that is cut.
 * Bundled into one script that prints what came of it as JSON; `scripts/on-hermes.mjs` runs it.
 */

import { createClient } from './client.ts';
import { WebSocketChannel } from './channel.ts';
import { MemoryNetwork } from './memory-network.testing.ts';
import { ScriptedServer } from './scripted-server.testing.ts';
import { VirtualClock } from './virtual-clock.testing.ts';

/** React Native's: `headers` in the third argument, no `wasClean`, a `bufferedAmount` that never moves, a blob unless told. */
class NativeWebSocket {
  static headers: unknown;
  binaryType = '';
  readonly bufferedAmount = 0;
  readonly protocol = '';
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: never) => void) | null = null;
  onclose: ((event: never) => void) | null = null;
  onerror: ((event: never) => void) | null = null;
  #isOpen = false;

  constructor(url: string, _protocols?: string[], more?: { headers?: unknown }) {
    NativeWebSocket.headers = more?.headers;
    void Promise.resolve().then(() => {
      if (url.includes('refused')) return this.#fail("Expected HTTP 101 response but was '401 Unauthorized'");
      this.#isOpen = true;
      this.onopen?.({} as never);
    });
  }

  #fail(message: string): void {
    this.onerror?.({ message } as never);
    this.onclose?.({ code: 1006, reason: message } as never);
  }

  send(data: string | Uint8Array): void {
    if (!this.#isOpen) throw new Error('INVALID_STATE_ERR');
    const echo = typeof data === 'string' ? data : data.slice().buffer;
    void Promise.resolve().then(() => this.onmessage?.({ data: echo } as never));
  }

  close(code?: number, reason?: string): void {
    void Promise.resolve().then(() => this.onclose?.({ code: code ?? 1005, reason } as never));
  }
}

async function channels(): Promise<unknown> {
  Object.assign(globalThis, { navigator: { product: 'ReactNative' } });
  const options = { WebSocket: NativeWebSocket, clock: new VirtualClock(), headers: { Authorization: 'Bearer x' } };
  const channel = WebSocketChannel.connect('wss://host/live', options);
  void channel.sink.add('grüß dich 😀');
  void channel.sink.add(Uint8Array.of(1, 2, 3));
  const messages: unknown[] = [];
  // As Babel writes `for await`.
  const iterator = (channel.stream as unknown as Record<string, () => AsyncIterator<string | Uint8Array>>)[
    (Symbol.asyncIterator as unknown as string | undefined) ?? '@@asyncIterator'
  ]!.call(channel.stream);
  for (let n = 0; n < 2; n++) {
    const { value } = (await iterator.next()) as { value: string | Uint8Array };
    messages.push(typeof value === 'string' ? value : [...value]);
  }
  const { by, code, reason } = await channel.sink.close(3000, 'done');
  const refused = await WebSocketChannel.connect('wss://host/refused', options).closed;
  return {
    messages,
    headers: NativeWebSocket.headers,
    end: [by, code, reason],
    refused: [refused.by, refused.httpStatus, refused.cause?.code],
  };
}

async function clients(): Promise<unknown> {
  const clock = new VirtualClock();
  const network = new MemoryNetwork(clock);
  const server = new ScriptedServer(network);
  const client = createClient({ url: 'ws://server', clock, socket: network.socket });
  const topic = client.topic('chat/1');
  const seen: unknown[] = [];
  const reader = topic.items();
  const step = (): void =>
    void reader.next().then(({ done, value }) => {
      if (done === true || value.type !== 'entry') return;
      seen.push(value.data instanceof Uint8Array ? [...value.data] : value.data);
      step();
    });
  step();
  void topic.publish({ text: 'grüß dich 😀' });
  void topic.publish(Uint8Array.of(1, 2, 3));
  await clock.advance(20);
  network.cut();
  server.append('chat/1', 'later');
  await clock.advance(2_000);
  await client.close();
  return { seen, phase: client.status.getSnapshot().phase };
}

function print(line: string): void {
  const { print: ofHermes, console } = globalThis as unknown as { print?: (line: string) => void; console: { log(line: string): void } };
  (ofHermes ?? ((text) => console.log(text)))(line);
}

void Promise.all([channels(), clients()]).then(
  ([channel, client]) => print(JSON.stringify({ channel, client })),
  (error: unknown) => print(JSON.stringify({ failed: String(error), stack: (error as Error).stack })),
);
