/** Frames on their way out, on a real pair of sockets read by `ws`'s own client. */

import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { Outflow } from './outflow.ts';
import { SharedFrame, SharedRun } from './shared-frame.ts';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** A stream that keeps what is written, and may be told to be full. */
class Sink extends Duplex {
  readonly writes: Buffer[] = [];
  isHeld = false;
  #release: (() => void)[] = [];

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.writes.push(chunk);
    if (this.isHeld) this.#release.push(done);
    else done();
  }

  override _read(): void {}

  release(): void {
    this.isHeld = false;
    for (const done of this.#release.splice(0)) done();
  }
}

function flowTo(stream: Duplex, options: { isOpen?: () => boolean; onFlushed?: () => void } = {}): Outflow {
  return new Outflow({
    stream,
    get isOpen() {
      return options.isOpen?.() ?? true;
    },
    onFlushed: () => options.onFlushed?.(),
  });
}

describe('one write per connection and turn', () => {
  test('what is pushed in a turn leaves together at its end, in order', async () => {
    const sink = new Sink();
    const flow = flowTo(sink);
    for (const text of ['a', 'bc', 'def']) flow.push(text);
    expect([sink.writes.length, flow.bytes]).toEqual([0, 12]);
    await turn();
    expect([sink.writes.map(String), flow.bytes]).toEqual([
      ['\u0081\u0001a\u0081\u0002bc\u0081\u0003def'].map((text) => Buffer.from(text, 'latin1').toString()),
      0,
    ]);
  });

  test('a run leaves as its frames do, in its place, encoded once for all', async () => {
    const [one, other] = [new Sink(), new Sink()];
    const [flow, otherFlow] = [flowTo(one), flowTo(other)];
    const run = new SharedRun([new SharedFrame('b'), new SharedFrame(Uint8Array.of(99))]);
    flow.push('a');
    flow.pushRun(run);
    flow.push('d');
    otherFlow.pushRun(run);
    expect([flow.bytes, otherFlow.bytes, run.bytes]).toEqual([12, 6, 2]);
    await turn();
    expect(one.writes.map((bytes) => bytes.toString('latin1'))).toEqual(['\u0081\u0001a\u0081\u0001b\u0082\u0001c\u0081\u0001d']);
    expect(other.writes).toEqual([run.prepared]);
  });

  test('the same frames to many are encoded once and joined once', async () => {
    const sinks = [new Sink(), new Sink(), new Sink()];
    const frames = [new SharedFrame('one'), new SharedFrame(Uint8Array.of(1, 2))];
    for (const sink of sinks) {
      const flow = flowTo(sink);
      for (const frame of frames) flow.push(frame);
    }
    await turn();
    const [first, second, third] = sinks.map(({ writes }) => writes);
    expect(first).toHaveLength(1);
    expect([second![0], third![0]].every((written) => written === first![0])).toBe(true);
  });

  test('other frames are joined for themselves', async () => {
    const sinks = [new Sink(), new Sink()];
    const shared = new SharedFrame('s');
    for (const [at, sink] of sinks.entries()) {
      const flow = flowTo(sink);
      flow.push(shared);
      flow.push(`own ${at}`);
    }
    await turn();
    expect(sinks.map(({ writes }) => writes[0]!.toString('latin1'))).toEqual([
      '\u0081\u0001s\u0081\u0005own 0',
      '\u0081\u0001s\u0081\u0005own 1',
    ]);
  });

  test('flush writes at once, drop forgets, and nothing follows what ended', async () => {
    const sink = new Sink();
    let isOpen = true;
    const flow = flowTo(sink, { isOpen: () => isOpen });
    flow.push('a');
    flow.flush();
    expect(sink.writes).toHaveLength(1);
    flow.push('b');
    flow.drop();
    flow.push('c');
    isOpen = false;
    await turn();
    expect([sink.writes.length, flow.bytes]).toEqual([1, 0]);
  });

  test('whoever waits is told after a flush that the stream took, and not when it is full', async () => {
    const sink = new Sink();
    let flushed = 0;
    const flow = flowTo(sink, { onFlushed: () => (flushed += 1) });
    flow.push('a');
    await turn();
    expect(flushed).toBe(1);
    sink.isHeld = true;
    flow.push('x'.repeat(100_000));
    await turn();
    expect([flushed, sink.writableNeedDrain]).toEqual([1, true]);
    sink.release();
  });
});

describe('what arrives', () => {
  test.each([0, 1, 125, 126, 127, 65_535, 65_536, 300_000])('text and bytes of %i, between control frames of ws', async (length) => {
    const server = new WebSocketServer({ noServer: true });
    const upgraded = new Promise<{ socket: WebSocket; stream: Socket }>((resolve) => {
      server.on('connection', (socket, request) => resolve({ socket, stream: request.socket }));
    });
    const http = createServer();
    http.on('upgrade', (request, stream, head) =>
      server.handleUpgrade(request, stream, head, (socket) => server.emit('connection', socket, request)),
    );
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    closers.push(() => http.close());
    const client = new WebSocket(`ws://127.0.0.1:${(http.address() as AddressInfo).port}`);
    closers.push(() => client.terminate());
    const got: (string | Buffer)[] = [];
    const done = new Promise<void>((resolve) => {
      client.on('message', (data: Buffer, isBinary: boolean) => {
        got.push(isBinary ? data : data.toString());
        if (got.length === 4) resolve();
      });
    });
    const { socket, stream } = await upgraded;
    const flow = flowTo(stream);
    const bytes = new Uint8Array(length).fill(7);
    flow.push('é'.repeat(length));
    socket.ping('between');
    flow.push(bytes);
    flow.push(new SharedFrame('shared'));
    flow.flush();
    socket.ping('after');
    flow.push('end');
    await done;
    expect(got).toEqual(['é'.repeat(length), Buffer.from(bytes), 'shared', 'end']);
  });
});
