/** Cases about a channel's life: closing and aborting in every phase, iterating, cancelling, streams of messages, disposal. */

import { endOf, outcome, readAll, take, thrown, type ConformanceCase } from './channel-case.testing.ts';
import type { Script } from './channel-script.testing.ts';
import type { Message } from './channel-stream.ts';

const ECHO: Script = { acts: [{ echo: 1_000 }] };
const SILENT: Script = { answer: '' };

const connecting: ConformanceCase[] = [
  {
    name: 'close while the handshake is never answered ends it, and nothing stays open',
    run: async (kit) => {
      const channel = kit.open(SILENT);
      const added = channel.sink.add('x');
      const end = await channel.sink.close(1000);
      await outcome(() => channel.ready);
      const read = await readAll(channel);
      return [endOf(end), await outcome(() => channel.ready), await outcome(() => added), read];
    },
    expect: ['local 1006 unclean', 'CLOSED', 'CLOSED', []],
  },
  {
    name: 'close in the turn of connect ends it',
    run: async (kit) => {
      const channel = kit.open();
      void channel.sink.close(4000, 'no');
      return [endOf(await channel.closed), channel.closeCode, await outcome(() => channel.ready), channel.protocol ?? null];
    },
    expect: ['local 1006 unclean', 1006, 'CLOSED', null],
  },
  {
    name: 'before the end there is no code, no reason, no protocol',
    run: async (kit) => {
      const channel = kit.open(ECHO);
      const before = [channel.closeCode ?? null, channel.closeReason ?? null, channel.protocol ?? null];
      await channel.ready;
      const open = [channel.closeCode ?? null, channel.closeReason ?? null, channel.protocol ?? null];
      await channel.sink.close(3333, 'why');
      return [before, open, [channel.closeCode, channel.closeReason, channel.protocol]];
    },
    expect: [
      [null, null, null],
      [null, null, ''],
      [3333, 'why', ''],
    ],
  },
];

const aborting: ConformanceCase[] = [
  {
    name: 'a signal that was aborted before opens nothing',
    run: async (kit) => {
      const channel = kit.open(ECHO, { signal: AbortSignal.abort('why') });
      const end = await channel.closed;
      return [
        endOf(end),
        end.cause?.cause,
        await outcome(() => channel.ready),
        await readAll(channel),
        await outcome(() => channel.sink.add('x')),
      ];
    },
    expect: ['local 1006 unclean ABORTED', 'why', 'ABORTED', [], 'ABORTED'],
  },
  {
    name: 'an abort during the handshake ends it, and nothing stays open',
    run: async (kit) => {
      const controller = new AbortController();
      const channel = kit.open(SILENT, { signal: controller.signal });
      controller.abort();
      return [endOf(await channel.closed), await outcome(() => channel.ready)];
    },
    expect: ['local 1006 unclean ABORTED', 'ABORTED'],
  },
  {
    name: 'an abort of an open channel closes it with 1000',
    run: async (kit) => {
      const controller = new AbortController();
      const channel = kit.open(ECHO, { signal: controller.signal });
      await channel.ready;
      controller.abort();
      const end = endOf(await channel.closed);
      return [
        end,
        await outcome(() => channel.ready),
        await readAll(channel),
        await outcome(() => channel.sink.add('x')),
        (await kit.report(channel)).close?.code,
      ];
    },
    expect: ['local 1000 clean ABORTED', 'ok', [], 'CLOSED', 1000],
  },
  {
    name: 'an abort after the end changes nothing',
    run: async (kit) => {
      const controller = new AbortController();
      const channel = kit.open({ acts: [{ close: 4000 }] }, { signal: controller.signal });
      const end = await channel.closed;
      controller.abort();
      return [endOf(end), (await channel.closed) === end];
    },
    expect: ['peer 4000 clean', true],
  },
];

const iterating: ConformanceCase[] = [
  {
    name: 'a second iteration is refused at once, and the first goes on',
    run: async (kit) => {
      const channel = kit.open(ECHO);
      const messages = channel.stream[Symbol.asyncIterator]();
      const second = thrown(() => channel.stream[Symbol.asyncIterator]());
      void channel.sink.add('a');
      const read = await take(messages, 1);
      await channel.sink.close();
      return [second, read, thrown(() => channel.stream[Symbol.asyncIterator]())];
    },
    expect: ['USAGE', ['a'], 'USAGE'],
  },
  {
    name: 'leaving the loop cancels: what comes is dropped, sending goes on',
    run: async (kit) => {
      const channel = kit.open({ acts: [{ text: 'one' }, { text: 'two' }, { take: 1 }, { text: 'three' }, { close: 4000 }] });
      const read: unknown[] = [];
      for await (const message of channel.stream) {
        read.push(message);
        break;
      }
      const sent = await outcome(() => channel.sink.add('still here'));
      const end = endOf(await channel.closed);
      return [read, sent, end, (await kit.report(channel)).messages];
    },
    expect: [['one'], 'ok', 'peer 4000 clean', ['still here']],
  },
  {
    name: 'an error thrown in the loop is that error, and cancels',
    run: async (kit) => {
      const channel = kit.open({ acts: [{ text: 'one' }, { take: 1 }] });
      let caught = '';
      try {
        for await (const message of channel.stream) throw new Error(`at ${String(message)}`);
      } catch (error) {
        caught = (error as Error).message;
      }
      void channel.sink.add('go');
      return [caught, endOf(await channel.sink.close(1000))];
    },
    expect: ['at one', 'local 1000 clean'],
  },
  {
    name: 'cancel ends an iteration that waits',
    run: async (kit) => {
      const channel = kit.open(ECHO);
      const messages = channel.stream[Symbol.asyncIterator]();
      const waiting = messages.next();
      channel.stream.cancel();
      const { done } = await waiting;
      await channel.ready;
      return [done, (await messages.next()).done, endOf(await channel.sink.close())];
    },
    expect: [true, true, 'local 1005 clean'],
  },
  {
    name: 'several reads at once get the messages in order, and then the end',
    run: async (kit) => {
      const channel = kit.open({ acts: [{ text: 'a' }, { text: 'b' }, { close: 1000 }] });
      const messages = channel.stream[Symbol.asyncIterator]();
      const steps = await Promise.all([messages.next(), messages.next(), messages.next(), messages.next()]);
      return steps.map(({ value }) => value ?? null);
    },
    expect: ['a', 'b', null, null],
  },
  {
    name: 'a failed attempt rejects one read, and then it is the end',
    run: async (kit) => {
      const channel = kit.open({ cut: 'reset' });
      const messages = channel.stream[Symbol.asyncIterator]();
      const first = await outcome(() => messages.next());
      return [first === (await channel.closed).cause?.code, (await messages.next()).done];
    },
    expect: [true, true],
  },
  {
    name: 'what nobody reads loses nothing: it is there when the reader comes',
    run: async (kit) => {
      const channel = kit.open({ acts: [{ text: 'm', times: 1_000 }, { close: 1000 }] });
      await channel.ready;
      return (await readAll(channel)).length;
    },
    expect: 1_000,
  },
  {
    name: 'a slow reader gets everything, with a small buffer too',
    run: async (kit) => {
      const channel = kit.open(
        {
          acts: [
            { text: 'x'.repeat(1_000), times: 300 },
            { close: 1000, reason: 'all' },
          ],
        },
        { receiveCountMax: 4 },
      );
      let number = 0;
      for await (const message of channel.stream) {
        if (number % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
        number += message.length;
      }
      return [number, endOf(await channel.closed)];
    },
    expect: [300_000, 'peer 1000 clean "all"'],
  },
  {
    name: 'a reader that stands still does not stop a close from this side',
    run: async (kit) => {
      const channel = kit.open({ acts: [{ text: 'x'.repeat(100), times: 2_000 }, { echo: 1 }] }, { receiveCountMax: 4 });
      await channel.ready;
      const messages = channel.stream[Symbol.asyncIterator]();
      await take(messages, 1);
      return endOf(await channel.sink.close(1000));
    },
    expect: 'local 1000 clean',
  },
];

async function* three(): AsyncGenerator<string> {
  yield 'a';
  await Promise.resolve();
  yield 'b';
  yield 'c';
}

const streaming: ConformanceCase[] = [
  {
    name: 'addStream sends an async iterable, and leaves the channel open',
    run: async (kit) => {
      const channel = kit.open(ECHO);
      const sent = await outcome(() => channel.sink.addStream(three()));
      await channel.sink.add('after');
      const read = await take(channel.stream[Symbol.asyncIterator](), 4);
      await channel.sink.close();
      return [sent, read];
    },
    expect: ['ok', ['a', 'b', 'c', 'after']],
  },
  {
    name: 'addStream sends an iterable',
    run: async (kit) => {
      const channel = kit.open({ acts: [{ take: 3 }, { close: 1000 }] });
      await channel.sink.addStream(['a', Uint8Array.of(1), 'c']);
      await channel.closed;
      return (await kit.report(channel)).messages;
    },
    expect: ['a', '[1]', 'c'],
  },
  {
    name: 'one channel’s stream is another’s source',
    run: async (kit) => {
      const from = kit.open({ acts: [{ text: 'x', times: 50 }, { close: 1000 }] });
      const to = kit.open({ acts: [{ take: 50 }, { close: 1000 }] });
      await to.sink.addStream(from.stream);
      await to.closed;
      return (await kit.report(to)).messages.length;
    },
    expect: 50,
  },
  {
    name: 'a source that fails gives its own error, and the channel stays open',
    run: async (kit) => {
      const channel = kit.open(ECHO);
      const source: AsyncIterable<string> = { [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new Error('source broke')) }) };
      const failed = await outcome(() => channel.sink.addStream(source));
      return [failed, await outcome(() => channel.sink.add('x')), endOf(await channel.sink.close())];
    },
    expect: ['other: Error: source broke', 'ok', 'local 1005 clean'],
  },
  {
    name: 'a source with something in it that is no message is returned, and refused',
    run: async (kit) => {
      const channel = kit.open(ECHO);
      let returned = 0;
      const values: unknown[] = ['fine', 42, 'never'];
      const iterator = {
        next: () => ({ done: false, value: values.shift() }),
        return: () => {
          returned += 1;
          return { done: true, value: undefined };
        },
      };
      const failed = await outcome(() => channel.sink.addStream({ [Symbol.iterator]: () => iterator } as Iterable<Message>));
      await channel.sink.close();
      return [failed, returned, (await kit.report(channel)).messages];
    },
    expect: ['USAGE', 1, ['fine']],
  },
  {
    name: 'a close stops a source that waits, and returns it',
    run: async (kit) => {
      const channel = kit.open(ECHO);
      let returned = 0;
      const source: AsyncIterable<string> = {
        [Symbol.asyncIterator]: () => ({
          next: () => new Promise(() => {}),
          return: () => {
            returned += 1;
            return Promise.resolve({ done: true as const, value: undefined });
          },
        }),
      };
      const pouring = channel.sink.addStream(source);
      await channel.ready;
      await channel.sink.close();
      return [await outcome(() => pouring), returned];
    },
    expect: ['CLOSED', 1],
  },
  ...[42, null, undefined, 'a string', {}].map((source): ConformanceCase => ({
    name: `addStream refuses ${JSON.stringify(source) ?? 'undefined'} at once`,
    run: async (kit) => {
      const channel = kit.open(ECHO);
      const refused = thrown(() => channel.sink.addStream(source as Iterable<string>));
      await channel.ready;
      return [refused, endOf(await channel.sink.close())];
    },
    expect: ['USAGE', 'local 1005 clean'],
  })),
];

const disposing: ConformanceCase[] = [
  {
    name: 'disposal closes with 1000, and may come twice',
    run: async (kit) => {
      const channel = kit.open(ECHO);
      await channel.ready;
      await Promise.all([channel[Symbol.asyncDispose](), channel[Symbol.asyncDispose]()]);
      await channel[Symbol.asyncDispose]();
      return endOf(await channel.closed);
    },
    expect: 'local 1000 clean',
  },
  {
    name: 'disposal during the handshake ends it',
    run: async (kit) => {
      const channel = kit.open(SILENT);
      await channel[Symbol.asyncDispose]();
      return endOf(await channel.closed);
    },
    expect: 'local 1006 unclean',
  },
  {
    name: 'fifty channels at once are fifty',
    run: async (kit) => {
      const channels = Array.from({ length: 50 }, () => kit.open(ECHO));
      const back = await Promise.all(
        channels.map(async (channel, n) => {
          void channel.sink.add(String(n));
          return (await take(channel.stream[Symbol.asyncIterator](), 1))[0];
        }),
      );
      const ends = await Promise.all(channels.map((channel) => channel.sink.close(1000)));
      return [back.every((text, n) => text === String(n)), new Set(ends.map(endOf)).size];
    },
    expect: [true, 1],
  },
];

const limits: ConformanceCase[] = [
  {
    name: 'with whenFull, a reader that stands still is held back where that is possible, else closed with 4100',
    run: async (kit) => {
      const channel = kit.open({ acts: [{ text: 'x', times: 50 }, { echo: 1 }] }, { receiveCountMax: 10, whenFull: 'close' });
      const canPause = kit.platform === 'ws' || kit.platform === 'memory';
      if (canPause) {
        await channel.sink.add('y');
        const read = await take(channel.stream[Symbol.asyncIterator](), 51);
        return [endOf(await channel.sink.close(1000)), read.length];
      }
      const end = endOf(await channel.closed);
      return [end, (await readAll(channel)).length, (await kit.report(channel)).close];
    },
    expect: ['local 1000 clean', 51],
    differs: {
      node: ['local 4100 clean "BUFFER_FULL" BUFFER_FULL', 10, { code: 4100, reason: 'BUFFER_FULL' }],
      chromium: ['local 4100 clean "BUFFER_FULL" BUFFER_FULL', 10, { code: 4100, reason: 'BUFFER_FULL' }],
      why: 'neither a page nor Node’s own WebSocket can be paused',
    },
  },
  {
    name: 'before it is open no more than sendBytesMax waits',
    run: async (kit) => {
      const channel = kit.open({ acts: [{ take: 2 }, { close: 1000 }] }, { sendBytesMax: 10 });
      const attempts = [channel.sink.add('12345678'), channel.sink.add('9012'), channel.sink.add('x'), channel.sink.add('y')];
      const outcomes = await Promise.all(attempts.map((one) => outcome(() => one)));
      await channel.closed;
      return [outcomes, (await kit.report(channel)).messages];
    },
    expect: [
      ['ok', 'ok', 'BUFFER_FULL', 'BUFFER_FULL'],
      ['12345678', '9012'],
    ],
  },
  {
    name: 'headers are sent with the handshake',
    raw: true,
    run: async (kit) => {
      const attempt = (): Promise<unknown> => {
        const channel = kit.open({ acts: [{ close: 1000 }] }, { headers: { Authorization: 'Bearer x', 'X-More': 'yes' } });
        return channel.closed
          .then(async () => (await kit.report(channel)).headers)
          .then(({ authorization, 'x-more': more }) => [authorization, more]);
      };
      return kit.platform === 'chromium' ? thrown(attempt) : attempt();
    },
    expect: ['Bearer x', 'yes'],
    differs: { chromium: 'USAGE', why: 'a page cannot send headers' },
  },
  {
    name: 'a record without headers is none',
    run: async (kit) => endOf(await kit.open({ acts: [{ close: 1000 }] }, { headers: {} }).closed),
    expect: 'peer 1000 clean',
  },
];

export const LIFE_CASES: readonly ConformanceCase[] = [...connecting, ...aborting, ...iterating, ...streaming, ...disposing, ...limits];
