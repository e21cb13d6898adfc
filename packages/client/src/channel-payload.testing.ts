/** Cases about messages: what can be sent, how it arrives, and how a peer may cut it into frames. */

import { endOf, outcome, readAll, take, thrown, type ConformanceCase, type Kit } from './channel-case.testing.ts';
import { BINARY, closeFrame, CONTINUATION, frame, PING, PONG, shown, TEXT } from './channel-script.testing.ts';

function bytesOf(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, at) => (at * 7 + (at >> 8)) & 255);
}

/** Sends them all, then reads as many back. */
async function echoed(kit: Kit, messages: readonly (string | Uint8Array)[]): Promise<string[]> {
  const channel = kit.open({ acts: [{ echo: messages.length }] });
  for (const message of messages) void channel.sink.add(message);
  const back = await take(channel.stream[Symbol.asyncIterator](), messages.length);
  await channel.sink.close(1000);
  return back;
}

/** Around every limit of the length field (RFC 6455 section 5.2). */
const SIZES = [0, 1, 2, 125, 126, 127, 65_535, 65_536, 65_537, 120_000, 1_000_000];

const sizes = SIZES.flatMap((size): ConformanceCase[] => [
  {
    name: `a text of ${size} characters comes back`,
    run: (kit) => echoed(kit, ['a'.repeat(size)]),
    expect: [shown('a'.repeat(size))],
  },
  {
    name: `${size} bytes come back`,
    run: (kit) => echoed(kit, [bytesOf(size)]),
    expect: [shown(bytesOf(size))],
  },
]);

const TEXTS: readonly (readonly [name: string, text: string, heard?: string])[] = [
  ['umlauts', 'grüß dich'],
  ['Japanese', '日本語のテキスト'],
  ['emoji', '😀👩‍👩‍👧‍👦🏳️‍🌈'],
  ['combining characters', 'e\u0301 \u1e69\u0323'],
  ['right to left', 'שלום \u202eabc'],
  ['zero characters', 'a\u0000b\u0000'],
  ['a byte order mark', '\ufeffhello'],
  ['the last code point', '\u{10ffff}'],
  ['noncharacters', '\ufffe\uffff'],
  ['line ends', '\r\n\n\r\u2028\u2029'],
  ['half a surrogate pair', 'a\ud83db', 'a\ufffdb'],
  ['60,000 emoji', '😀'.repeat(60_000)],
  ['100,000 characters of three bytes', '語'.repeat(100_000)],
];

const texts = TEXTS.map(([name, text, heard = text]): ConformanceCase => ({
  name: `${name} come back`,
  run: (kit) => echoed(kit, [text]),
  expect: [shown(heard)],
  ...(text.startsWith('\ufeff') ? { differs: { node: [text.slice(1)], why: 'Node’s own WebSocket drops it' } } : {}),
}));

/** Not messages: refused at once. */
const WRONG: readonly (readonly [name: string, message: unknown])[] = [
  ['a number', 42],
  ['null', null],
  ['undefined', undefined],
  ['a boolean', true],
  ['an object', { text: 'x' }],
  ['an empty array', []],
  ['numbers that are bytes', [1, 2, 3]],
  ['numbers that are no bytes', [300, -1]],
  ['a symbol', Symbol('x')],
  ['a function', () => 'x'],
  ['a bigint', 1n],
  ['a string object', new String('x')],
  ['a view', new DataView(new ArrayBuffer(2))],
  ['other numbers in memory', new Uint16Array(2)],
  ['clamped bytes', new Uint8ClampedArray(2)],
  ['a buffer', new ArrayBuffer(2)],
  ['a promise of a message', Promise.resolve('x')],
];

const wrong = WRONG.map(([name, message]): ConformanceCase => ({
  name: `${name} cannot be sent, which is said at once, and changes nothing`,
  run: async (kit) => {
    const channel = kit.open({ acts: [{ echo: 1 }] });
    const early = thrown(() => channel.sink.add(message as string));
    await channel.ready;
    const open = thrown(() => channel.sink.add(message as string));
    void channel.sink.add('fine');
    const back = await take(channel.stream[Symbol.asyncIterator](), 1);
    await channel.sink.close();
    return [early, open, back, thrown(() => channel.sink.add(message as string))];
  },
  expect: ['USAGE', 'USAGE', ['fine'], 'USAGE'],
}));

const kinds: ConformanceCase[] = [
  {
    name: 'texts and bytes alternate, in order',
    run: (kit) =>
      echoed(
        kit,
        Array.from({ length: 200 }, (_, n) => (n % 2 === 0 ? `text ${n}` : Uint8Array.of(n))),
      ),
    expect: Array.from({ length: 200 }, (_, n) => (n % 2 === 0 ? `text ${n}` : `[${n}]`)),
  },
  {
    name: '2,000 messages come back in order',
    run: async (kit) => {
      const back = await echoed(
        kit,
        Array.from({ length: 2_000 }, (_, n) => String(n)),
      );
      return [back.length, back.every((text, n) => text === String(n))];
    },
    expect: [2_000, true],
  },
  {
    name: 'a part of a buffer is sent as that part',
    run: (kit) => echoed(kit, [bytesOf(100).subarray(10, 13), new Uint8Array(new Uint8Array([9, 8, 7, 6]).buffer, 1, 2)]),
    expect: [shown(bytesOf(100).subarray(10, 13)), '[8,7]'],
  },
  {
    name: 'bytes that change after they were added arrive as they were',
    run: async (kit) => {
      const channel = kit.open({ acts: [{ echo: 2 }] });
      const bytes = bytesOf(5_000);
      void channel.sink.add(bytes);
      bytes.fill(0);
      await channel.ready;
      bytes.set(bytesOf(5_000));
      void channel.sink.add(bytes);
      bytes.fill(0);
      const back = await take(channel.stream[Symbol.asyncIterator](), 2);
      await channel.sink.close();
      return back;
    },
    expect: [shown(bytesOf(5_000)), shown(bytesOf(5_000))],
  },
  {
    name: 'received bytes are one’s own to change',
    run: async (kit) => {
      const channel = kit.open({ acts: [{ bytes: [1, 2, 3] }, { bytes: [4, 5, 6] }] });
      const messages = channel.stream[Symbol.asyncIterator]();
      const first = (await messages.next()).value as Uint8Array;
      first.fill(9);
      const second = (await messages.next()).value as Uint8Array;
      await channel.sink.close();
      return [[...first], [...second]];
    },
    expect: [
      [9, 9, 9],
      [4, 5, 6],
    ],
  },
  {
    name: 'what is added before the channel is open is sent first, in order',
    run: async (kit) => {
      const channel = kit.open({ acts: [{ take: 4 }, { close: 1000 }] });
      const early = [channel.sink.add('a'), channel.sink.add('b'), channel.sink.add(Uint8Array.of(1))];
      await channel.ready;
      void channel.sink.add('c');
      const settled = await Promise.all(early.map((one) => outcome(() => one)));
      await channel.closed;
      return [settled, (await kit.report(channel)).messages];
    },
    expect: [
      ['ok', 'ok', 'ok'],
      ['a', 'b', '[1]', 'c'],
    ],
  },
];

const SPLIT = [...new TextEncoder().encode('a語😀')];

/** The same text, cut in ways that a peer may. */
const fragmented: ConformanceCase[] = (
  [
    ['one frame', frame(TEXT, 'a語😀')],
    ['two frames', frame(TEXT, 'a', { fin: false }) + frame(CONTINUATION, '語😀')],
    [
      'a frame for each byte, within characters too',
      SPLIT.map((byte, at) => frame(at === 0 ? TEXT : CONTINUATION, [byte], { fin: at === SPLIT.length - 1 })).join(''),
    ],
    ['empty frames first', frame(TEXT, '', { fin: false }) + frame(CONTINUATION, '', { fin: false }) + frame(CONTINUATION, 'a語😀')],
    ['an empty frame last', frame(TEXT, 'a語😀', { fin: false }) + frame(CONTINUATION, '')],
    ['a ping in between', frame(TEXT, 'a', { fin: false }) + frame(PING, 'p') + frame(CONTINUATION, '語😀')],
    ['a pong in between that nobody asked for', frame(TEXT, 'a', { fin: false }) + frame(PONG) + frame(CONTINUATION, '語😀')],
    ['a ping of 125 bytes before', frame(PING, 'p'.repeat(125)) + frame(TEXT, 'a語😀')],
    ['a thousand empty pings before', frame(PING).repeat(1_000) + frame(TEXT, 'a語😀')],
  ] as const
).flatMap(([name, raw]) =>
  [false, true].map((drip): ConformanceCase => ({
    name: `a text in ${name}${drip ? ', byte by byte' : ''} is one message`,
    raw: true,
    run: async (kit) => {
      const channel = kit.open({ acts: [{ raw, drip }, { close: 1000 }] });
      return [await readAll(channel), endOf(await channel.closed)];
    },
    expect: [['a語😀'], 'peer 1000 clean'],
  })),
);

const segments: ConformanceCase[] = [
  {
    name: 'bytes in fragments are one message',
    raw: true,
    run: async (kit) => {
      const parts = [frame(BINARY, [1, 2], { fin: false }), frame(CONTINUATION, [], { fin: false }), frame(CONTINUATION, [255])];
      return readAll(kit.open({ acts: [{ raw: parts.join('') }, { close: 1000 }] }));
    },
    expect: ['[1,2,255]'],
  },
  {
    name: 'empty messages are messages',
    raw: true,
    run: (kit) => readAll(kit.open({ acts: [{ raw: frame(TEXT) + frame(BINARY) + frame(TEXT) }, { close: 1000 }] })),
    expect: ['', '[]', ''],
  },
  {
    name: 'many messages in the segment of the upgrade’s answer are all heard',
    raw: true,
    run: (kit) =>
      readAll(kit.open({ glued: [1, 2, 3].map((n) => frame(TEXT, `glued ${n}`)).join(''), acts: [{ text: 'later' }, { close: 1000 }] })),
    expect: ['glued 1', 'glued 2', 'glued 3', 'later'],
  },
  {
    name: 'a close in the segment of the upgrade’s answer is heard after the opening',
    raw: true,
    run: async (kit) => {
      const channel = kit.open({ glued: closeFrame(4000), onClose: 'hangup' });
      return [await outcome(() => channel.ready), endOf(await channel.closed)];
    },
    expect: ['ok', 'peer 4000 clean'],
  },
  {
    name: 'twenty fragments of a thousand characters are one message',
    raw: true,
    run: (kit) => {
      const raw = Array.from({ length: 20 }, (_, n) => frame(n === 0 ? TEXT : CONTINUATION, 'x'.repeat(1_000), { fin: n === 19 }));
      return readAll(kit.open({ acts: [{ raw: raw.join('') }, { close: 1000 }] }));
    },
    expect: [shown('x'.repeat(20_000))],
  },
];

export const PAYLOAD_CASES: readonly ConformanceCase[] = [...sizes, ...texts, ...wrong, ...kinds, ...fragmented, ...segments];
