/** Cases about what goes wrong: addresses, handshakes, subprotocols, breaches of the protocol, connections that break. */

import { endOf, outcome, readAll, take, thrown, type ConformanceCase, type Kit } from './channel-case.testing.ts';
import { CONTINUATION, closeFrame, frame, PING, refusal, TEXT, upgrade, type Script } from './channel-script.testing.ts';
import type { ChannelOptions } from './channel.ts';

/** Everything that a failed attempt shows, in every place that it must be seen. */
async function failure(kit: Kit, script: Script, options: ChannelOptions = {}): Promise<unknown> {
  return everywhere(kit.open(script, options));
}

async function everywhere(channel: ReturnType<Kit['open']>): Promise<unknown> {
  const added = channel.sink.add('lost?');
  const iterated = readAll(channel);
  const end = await channel.closed;
  const [ready, add, read] = [await outcome(() => channel.ready), await outcome(() => added), await outcome(() => iterated)];
  return [endOf(end), ready === end.cause?.code, add === ready, read === ready, await outcome(() => channel.sink.add('late'))];
}

/** The failure is everywhere the same: in `closed`, `ready`, `add`, the stream, and in what is added later. */
function seen(end: string): unknown {
  return [end, true, true, true, end.split(' ').at(-1)];
}

/** Neither a page nor Node's own WebSocket is told anything of a failed handshake: not the answer, not the reason. */
const SECRET = 'a page, and Node’s own WebSocket, are told nothing of a failed handshake';
const UNTOLD = { chromium: seen('network 1006 unclean NETWORK'), node: seen('network 1006 unclean NETWORK'), why: SECRET } as const;

const addresses = (
  [
    '',
    ' ',
    'x',
    '/live',
    '//host/live',
    'http://127.0.0.1/',
    'https://127.0.0.1/',
    'ftp://127.0.0.1/',
    'wsx://127.0.0.1/',
    'ws:',
    'ws://',
    'ws:127.0.0.1',
    'ws:///path',
    'ws://?x',
    'ws://127.0.0.1/#part',
    'ws://127.0.0.1#part',
    'ws://127.0.0.1/a b',
    ' ws://127.0.0.1/',
    'ws://127.0.0.1:99999/',
    'ws://[::1/',
    42,
    null,
    undefined,
    {},
    ['ws://127.0.0.1/'],
  ] as readonly unknown[]
).map((url): ConformanceCase => ({
  name: `${JSON.stringify(url) ?? 'undefined'} is no address, which is said at once`,
  run: (kit) => Promise.resolve(thrown(() => kit.connect(url as string))),
  expect: 'INVALID_URL',
  ...(url === 'ws://127.0.0.1:99999/' || url === 'ws://[::1/'
    ? { differs: { memory: 'nothing', why: 'ports and addresses are parsed by the platform, and there is none in memory' } }
    : {}),
}));

const options = (
  [
    [{ connectTimeoutMs: 0 }],
    [{ connectTimeoutMs: -1 }],
    [{ connectTimeoutMs: Number.NaN }],
    [{ connectTimeoutMs: '5' }],
    [{ closeTimeoutMs: 0 }],
    [{ receiveCountMax: 0 }],
    [{ receiveBytesMax: -5 }],
    [{ sendBytesMax: 'much' }],
    [{ highWaterBytes: null }],
    [{ whenFull: 'explode' }],
    [{ headers: 'Authorization: x' }],
    [{ headers: { Authorization: 42 } }],
    [{ headers: ['x'] }],
    [{ protocols: 42 }],
    [{ protocols: {} }],
    [{ protocols: [''] }],
    [{ protocols: '' }],
    [{ protocols: ['a b'] }],
    [{ protocols: ['a,b'] }],
    [{ protocols: ['a', 'a'] }],
    [{ protocols: ['ü'] }],
    [{ protocols: ['a', 42] }],
    [{ protocols: ['"a"'] }],
  ] as readonly [unknown][]
).map(([given]): ConformanceCase => ({
  name: `the options ${JSON.stringify(given)} are refused at once`,
  run: (kit) => Promise.resolve(thrown(() => kit.open({}, given as ChannelOptions))),
  expect: 'USAGE',
}));

const statuses = [200, 204, 301, 302, 307, 400, 401, 403, 404, 405, 407, 410, 426, 429, 500, 502, 503, 504].map(
  (status): ConformanceCase => ({
    name: `an answer with status ${status} is a refused upgrade`,
    run: (kit) => failure(kit, { answer: refusal(status, ...(status < 400 ? ['Location: http://127.0.0.1:1/elsewhere'] : [])) }),
    expect: seen(`peer 1006 unclean ${status} UPGRADE_REFUSED`),
    differs: UNTOLD,
  }),
);

const retryAfter: ConformanceCase[] = (
  [
    ['7', 7_000],
    ['Wed, 21 Oct 2026 07:28:00 GMT', null],
  ] as const
).map(([value, expected]): ConformanceCase => ({
  name: `a refused upgrade with Retry-After: ${value} says when to come back`,
  run: async (kit) => (await kit.open({ answer: refusal(503, `Retry-After: ${value}`) }).closed).cause?.retryAfterMs ?? null,
  expect: expected,
  differs: { chromium: null, node: null, why: SECRET },
}));

const RIGHT = ['Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Accept: $ACCEPT'];
const BREACH = seen('protocol 1006 unclean PROTOCOL_ERROR');

/** Handshakes that are no upgrade (RFC 6455 section 4.1). */
const handshakes = (
  [
    ['a wrong Sec-WebSocket-Accept', upgrade(RIGHT[0]!, RIGHT[1]!, 'Sec-WebSocket-Accept: dGhlIHNhbXBsZSBub25jZQ==')],
    ['no Sec-WebSocket-Accept', upgrade(RIGHT[0]!, RIGHT[1]!)],
    ['another Upgrade', upgrade('Upgrade: h2c', RIGHT[1]!, RIGHT[2]!)],
    ['an extension that was not offered', upgrade(...RIGHT, 'Sec-WebSocket-Extensions: x-unheard-of')],
  ] as const
).map(([name, answer]): ConformanceCase => ({
  name: `an upgrade with ${name} is a breach of the protocol`,
  raw: true,
  run: (kit) => failure(kit, { answer }),
  expect: BREACH,
  differs: UNTOLD,
}));

const noAnswer: ConformanceCase[] = [
  {
    name: 'an answer that is no HTTP is a breach of the protocol',
    raw: true,
    run: (kit) => failure(kit, { answer: 'SSH-2.0-OpenSSH_9.2\r\n\r\n' }),
    expect: BREACH,
    differs: UNTOLD,
  },
  {
    name: 'no answer at all is a timeout',
    run: (kit) => failure(kit, { answer: '' }, { connectTimeoutMs: 80 }),
    expect: seen('timeout 1006 unclean CONNECT_TIMEOUT'),
  },
  {
    name: 'after the timeout nothing stays open',
    run: async (kit) => {
      const channel = kit.open({ answer: '' }, { connectTimeoutMs: 500 });
      await channel.closed;
      return (await kit.report(channel)).messages;
    },
    expect: [],
  },
  {
    name: 'half an answer is a timeout',
    raw: true,
    run: (kit) => failure(kit, { answer: 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: webs' }, { connectTimeoutMs: 80 }),
    expect: seen('timeout 1006 unclean CONNECT_TIMEOUT'),
  },
  {
    name: 'a reset before the answer is a lost connection',
    run: (kit) => failure(kit, { cut: 'reset' }),
    expect: seen('network 1006 unclean CONNECTION_LOST'),
    differs: UNTOLD,
  },
  {
    name: 'a hang-up before the answer is a lost connection',
    run: (kit) => failure(kit, { cut: 'hangup' }),
    expect: seen('network 1006 unclean CONNECTION_LOST'),
    differs: UNTOLD,
  },
  {
    name: 'nobody listening is a refused connection',
    raw: true,
    run: (kit) => everywhere(kit.connect(`ws://${kit.deadHost}/`)),
    expect: seen('network 1006 unclean CONNECTION_REFUSED'),
    differs: UNTOLD,
  },
  {
    name: 'a name that nobody has is a failure of the name service',
    raw: true,
    run: (kit) => everywhere(kit.connect('ws://nobody.invalid/')),
    expect: seen('network 1006 unclean DNS_FAILED'),
    differs: UNTOLD,
  },
  {
    name: 'a server without TLS is a failure of TLS',
    raw: true,
    run: (kit) => everywhere(kit.connect(`wss://${kit.host}/`)),
    expect: seen('network 1006 unclean TLS_FAILED'),
    differs: UNTOLD,
  },
];

/** What a server may do about the subprotocols; `closed` is all there is to say if it did wrong. */
const protocols = (
  [
    ['none offered, none chosen', [], null, ''],
    ['one offered and chosen', ['chat'], 'chat', 'chat'],
    ['given as one string', 'chat', 'chat', 'chat'],
    ['the first of three chosen', ['a', 'b', 'c'], 'a', 'a'],
    ['the last of three chosen', ['a', 'b', 'c'], 'c', 'c'],
    ['names with every character that may be in one', ["!#$%&'*+-.^_`|~09azAZ"], "!#$%&'*+-.^_`|~09azAZ", "!#$%&'*+-.^_`|~09azAZ"],
    ['one offered, another chosen', ['chat'], 'other', undefined],
    ['one offered, chosen in other letters', ['chat'], 'CHAT', undefined],
    ['one offered, none chosen', ['chat'], null, undefined],
    ['none offered, one chosen', [], 'chat', undefined],
    ['two offered, both chosen', ['a', 'b'], 'a, b', undefined],
  ] as const
).map(([name, offered, protocol, chosen]): ConformanceCase => ({
  name: `subprotocols: ${name}`,
  run: async (kit) => {
    const channel = kit.open({ protocol, acts: [{ close: 1000 }] }, { protocols: offered });
    const before = channel.protocol ?? null;
    const ready = await outcome(() => channel.ready);
    const end = await channel.closed;
    return [before, ready, channel.protocol ?? null, endOf(end)];
  },
  expect:
    chosen === undefined ? [null, 'PROTOCOL_ERROR', null, 'protocol 1006 unclean PROTOCOL_ERROR'] : [null, 'ok', chosen, 'peer 1000 clean'],
  ...(chosen === undefined
    ? {
        differs: {
          chromium: [null, 'NETWORK', null, 'network 1006 unclean NETWORK'],
          node: [null, 'NETWORK', null, 'network 1006 unclean NETWORK'],
          why: SECRET,
        },
      }
    : {}),
}));

const BROWSER = {
  chromium: [['fine'], 'network 1006 unclean CONNECTION_LOST'],
  node: [['fine'], 'network 1006 unclean CONNECTION_LOST'],
  why: 'a page, and Node’s own WebSocket, are told 1006, and not why',
} as const;

/** Frames that no server may send (RFC 6455 section 5), after one that is fine. */
const breaches = (
  [
    ['HTTP', '485454502f312e3120323030204f4b0d0a'],
    ['ones', 'ff'.repeat(64)],
    ['the opcode 3', frame(3, 'x')],
    ['the opcode 7', frame(7, 'x')],
    ['the opcode 11', frame(11, 'x')],
    ['the opcode 15', frame(15)],
    ['the first reserved bit without an extension', frame(TEXT, 'x', { rsv: 4 })],
    ['the second reserved bit', frame(TEXT, 'x', { rsv: 2 })],
    ['the third reserved bit', frame(TEXT, 'x', { rsv: 1 })],
    ['a masked frame', frame(TEXT, 'x', { mask: true })],
    ['a continuation of nothing', frame(CONTINUATION, 'x')],
    ['a message within a message', frame(TEXT, 'x', { fin: false }) + frame(TEXT, 'y')],
    ['a ping in fragments', frame(PING, 'x', { fin: false })],
    ['a ping of 126 bytes', frame(PING, 'x'.repeat(126))],
    ['a length above 2^63', '817fffffffffffffffff78'],
    ['a text that is no UTF-8', frame(TEXT, [0xc3, 0x28])],
    ['an overlong character', frame(TEXT, [0xc0, 0xaf])],
    ['half a surrogate pair in UTF-8', frame(TEXT, [0xed, 0xa0, 0xbd])],
    ['a character above the last', frame(TEXT, [0xf4, 0x90, 0x80, 0x80])],
    ['a text that ends within a character', frame(TEXT, [0xe8, 0xaa])],
    ['fragments that are no UTF-8 together', frame(TEXT, [0xe8], { fin: false }) + frame(CONTINUATION, [0x28, 0x29])],
  ] as const
).map(([name, raw]): ConformanceCase => ({
  name: `after a message, ${name}: a breach of the protocol`,
  raw: true,
  run: async (kit) => {
    const channel = kit.open({ acts: [{ text: 'fine' }, { take: 1 }, { raw }] });
    const messages = channel.stream[Symbol.asyncIterator]();
    const read = await take(messages, 1);
    void channel.sink.add('go');
    return [[...read, ...(await take(messages, 9))], endOf(await channel.closed)];
  },
  expect: [['fine'], 'protocol 1006 unclean PROTOCOL_ERROR'],
  differs: BROWSER,
}));

const LOST = 'network 1006 unclean CONNECTION_LOST';

const broken: ConformanceCase[] = (
  [
    ['a reset', { cut: 'reset' }],
    ['a hang-up without a goodbye', { cut: 'hangup' }],
  ] as const
).flatMap(([name, cut]): ConformanceCase[] => [
  {
    name: `${name} right after the upgrade is a lost connection`,
    run: async (kit) => {
      const channel = kit.open({ acts: [cut] });
      const end = endOf(await channel.closed);
      // A reset may overtake the answer to the handshake.
      return end === LOST || (cut.cut === 'reset' && end === 'network 1006 unclean NETWORK');
    },
    expect: true,
  },
  {
    name: `${name} after messages is a lost connection, and they are read`,
    run: async (kit) => {
      const channel = kit.open({ acts: [{ text: 'a' }, { text: 'b' }, { take: 1 }, cut] });
      const messages = channel.stream[Symbol.asyncIterator]();
      const read = await take(messages, 2);
      void channel.sink.add('go');
      return [read, (await messages.next()).done, endOf(await channel.closed), await outcome(() => channel.sink.add('late'))];
    },
    expect: [['a', 'b'], true, LOST, 'CLOSED'],
  },
  {
    name: `${name} in the middle of a message is a lost connection, and nothing of it is read`,
    raw: true,
    run: async (kit) => {
      const channel = kit.open({ acts: [{ raw: '817e03e8' + '78'.repeat(500) }, { take: 1 }, cut] });
      void channel.sink.add('go');
      return [await readAll(channel), endOf(await channel.closed)];
    },
    expect: [[], LOST],
  },
  {
    name: `${name} in the middle of a fragmented message is a lost connection, and nothing of it is read`,
    raw: true,
    run: async (kit) => {
      const channel = kit.open({ acts: [{ raw: frame(TEXT, 'part', { fin: false }) }, { take: 1 }, cut] });
      void channel.sink.add('go');
      return [await readAll(channel), endOf(await channel.closed)];
    },
    expect: [[], LOST],
  },
]);

const goodbyes: ConformanceCase[] = [
  {
    name: 'a goodbye and a hang-up together are a clean end',
    raw: true,
    run: async (kit) => endOf(await kit.open({ acts: [{ raw: closeFrame(4000, 'bye') }, { cut: 'hangup' }] }).closed),
    expect: 'peer 4000 clean "bye"',
  },
];

export const FAILURE_CASES: readonly ConformanceCase[] = [
  ...addresses,
  ...options,
  ...statuses,
  ...retryAfter,
  ...handshakes,
  ...noAnswer,
  ...protocols,
  ...breaches,
  ...broken,
  ...goodbyes,
];
