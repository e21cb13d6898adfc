/** Cases about closing: which codes and reasons can be said and heard, and what a channel is afterwards. */

import { endOf, outcome, readAll, take, thrown, type ConformanceCase, type Kit } from './channel-case.testing.ts';
import { closeFrame, frame, CLOSE, type Script } from './channel-script.testing.ts';

/** RFC 6455 section 7.4; what a script may not say is refused before anything happens. */
const REFUSED_CODES: readonly unknown[] = [
  -1,
  0,
  1,
  999,
  1001,
  1002,
  1003,
  1004,
  1005,
  1006,
  1007,
  1008,
  1009,
  1010,
  1011,
  1012,
  1013,
  1014,
  1015,
  1016,
  1999,
  2000,
  2999,
  5000,
  5001,
  65_535,
  65_536,
  1000.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  '1000',
  null,
  true,
  {},
  [1000],
];

const ACCEPTED_CODES: readonly (number | undefined)[] = [undefined, 1000, 3000, 3001, 3999, 4000, 4321, 4999];

/** By length in bytes, in characters of one to four bytes; a lone surrogate is sent as U+FFFD, three bytes. */
const REASONS: readonly (readonly [name: string, reason: string, heard?: string])[] = [
  ['none', ''],
  ['1 byte', 'x'],
  ['122 bytes', 'x'.repeat(122)],
  ['123 bytes', 'x'.repeat(123)],
  ['123 bytes in characters of two', `${'ü'.repeat(61)}x`],
  ['123 bytes in characters of three', '語'.repeat(41)],
  ['123 bytes in characters of four', `${'😀'.repeat(30)}語`],
  ['123 bytes with half a surrogate pair', `${'x'.repeat(120)}\ud83d`, `${'x'.repeat(120)}\ufffd`],
  ['a zero character', 'a\u0000b'],
];

const TOO_LONG: readonly (readonly [name: string, reason: string])[] = [
  ['124 bytes', 'x'.repeat(124)],
  ['124 bytes in 62 characters', 'ü'.repeat(62)],
  ['125 bytes in 42 characters', `${'語'.repeat(41)}ü`],
  ['124 bytes in 31 characters', '😀'.repeat(31)],
  ['124 bytes with half a surrogate pair', `${'x'.repeat(121)}\ud83d`],
  ['10,000 bytes', 'x'.repeat(10_000)],
];

/** Still as it was: it echoes. */
const ECHO: Script = { acts: [{ echo: 1_000 }] };

async function isAlive(kit: Kit, refuse: (channel: ReturnType<Kit['open']>) => string): Promise<unknown> {
  const channel = kit.open(ECHO);
  await channel.ready;
  const refused = refuse(channel);
  await channel.sink.add('still here');
  const messages = channel.stream[Symbol.asyncIterator]();
  const heard = await take(messages, 1);
  return [refused, heard, channel.closeCode ?? null, endOf(await channel.sink.close(1000))];
}

const ALIVE = ['USAGE', ['still here'], null, 'local 1000 clean'];

const refusedCodes = REFUSED_CODES.map((code): ConformanceCase => ({
  name: `close(${typeof code === 'string' ? `'${code}'` : (JSON.stringify(code) ?? String(code)).replace('null', String(code))}) is refused, and changes nothing`,
  run: (kit) => isAlive(kit, (channel) => thrown(() => channel.sink.close(code as number))),
  expect: ALIVE,
}));

const acceptedCodes = ACCEPTED_CODES.map((code): ConformanceCase => ({
  name: `close(${code ?? ''}) is said, and answered`,
  run: async (kit) => {
    const channel = kit.open(ECHO);
    await channel.ready;
    const end = await channel.sink.close(code);
    const done = (await channel.sink.done) === end && (await channel.closed) === end;
    return [endOf(end), channel.closeCode, channel.closeReason, done, (await kit.report(channel)).close];
  },
  expect: [`local ${code ?? 1005} clean`, code ?? 1005, '', true, { code: code ?? 1005, reason: '' }],
}));

const reasonsSaid = REASONS.map(([name, reason, heard = reason]): ConformanceCase => ({
  name: `close with a reason of ${name} is said`,
  run: async (kit) => {
    const channel = kit.open(ECHO);
    await channel.ready;
    const end = await channel.sink.close(4000, reason);
    return [end.by, end.code, channel.closeReason, (await kit.report(channel)).close];
  },
  expect: ['local', 4000, heard, { code: 4000, reason: heard }],
  ...(heard === reason
    ? {}
    : { differs: { memory: ['local', 4000, reason, { code: 4000, reason }], why: 'nothing is encoded in memory' } }),
}));

const reasonsRefused: ConformanceCase[] = [
  ...TOO_LONG.map(([name, reason]): ConformanceCase => ({
    name: `close with a reason of ${name} is refused, and changes nothing`,
    run: (kit) => isAlive(kit, (channel) => thrown(() => channel.sink.close(1000, reason))),
    expect: ALIVE,
  })),
  ...[42, null, {}, ['why'], true].map((reason): ConformanceCase => ({
    name: `close with the reason ${JSON.stringify(reason)} is refused, and changes nothing`,
    run: (kit) => isAlive(kit, (channel) => thrown(() => channel.sink.close(1000, reason as string))),
    expect: ALIVE,
  })),
  {
    name: 'close with a reason and no code is refused, and changes nothing',
    run: (kit) => isAlive(kit, (channel) => thrown(() => channel.sink.close(undefined, 'bye'))),
    expect: ALIVE,
  },
];

const heardCodes = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999].map(
  (code): ConformanceCase => ({
    name: `the peer’s close with ${code} is heard, and answered`,
    run: async (kit) => {
      const channel = kit.open({ acts: [{ text: 'last' }, { close: code, reason: 'bye' }] });
      const messages = await readAll(channel);
      const end = await channel.closed;
      return [messages, endOf(end), channel.closeCode, channel.closeReason];
    },
    expect: [['last'], `peer ${code} clean "bye"`, code, 'bye'],
  }),
);

const heardReasons = REASONS.filter(([, reason, heard]) => reason !== '' && heard === undefined).map(([name, reason]): ConformanceCase => ({
  name: `the peer’s reason of ${name} is heard`,
  run: async (kit) => endOf(await kit.open({ acts: [{ close: 3000, reason }] }).closed),
  expect: `peer 3000 clean ${JSON.stringify(reason)}`,
}));

const BROKEN = 'protocol 1006 unclean PROTOCOL_ERROR';
const BROWSER = {
  chromium: 'network 1006 unclean CONNECTION_LOST',
  node: 'network 1006 unclean CONNECTION_LOST',
  why: 'a page, and Node’s own WebSocket, are told 1006, and not why',
} as const;

/** Close frames that no peer may send (RFC 6455 sections 5.5.1, 7.4.1). */
const illegal = (
  [
    ['0', closeFrame(0)],
    ['999', closeFrame(999)],
    ['1004', closeFrame(1004)],
    ['1005', closeFrame(1005)],
    ['1006', closeFrame(1006)],
    ['1015', closeFrame(1015)],
    ['5000', closeFrame(5000)],
    ['65535', closeFrame(65_535)],
  ] as const
).map(([name, raw]): ConformanceCase => ({
  name: `the peer’s close with ${name} is a breach of the protocol`,
  raw: true,
  run: async (kit) => endOf(await kit.open({ acts: [{ raw }] }).closed),
  expect: BROKEN,
  differs: BROWSER,
}));

const malformed: ConformanceCase[] = [
  ['one byte', frame(CLOSE, [3])],
  ['a reason that is no UTF-8', closeFrame(3000, [0xff, 0xfe])],
  ['a reason cut within a character', closeFrame(3000, [0xe8, 0xaa])],
  ['a reason of 124 bytes', closeFrame(3000, 'x'.repeat(124))],
  ['no final bit', frame(CLOSE, [3, 232], { fin: false })],
  ['a mask', closeFrame(1000, '', { mask: true })],
].map(([name, raw]): ConformanceCase => ({
  name: `the peer’s close frame with ${name!} is a breach of the protocol`,
  raw: true,
  run: async (kit) => endOf(await kit.open({ acts: [{ raw: raw! }] }).closed),
  expect: BROKEN,
  differs: BROWSER,
}));

const afterwards: ConformanceCase[] = [
  {
    name: 'the peer’s close without a code is 1005',
    run: async (kit) => endOf(await kit.open({ acts: [{ close: null }] }).closed),
    expect: 'peer 1005 clean',
  },
  {
    name: 'closing twice says the first, and both resolve with the same end',
    run: async (kit) => {
      const channel = kit.open(ECHO);
      await channel.ready;
      const [first, second] = await Promise.all([channel.sink.close(4001, 'one'), channel.sink.close(4002, 'two')]);
      return [first === second, endOf(first), endOf(await channel.sink.close())];
    },
    expect: [true, 'local 4001 clean "one"', 'local 4001 clean "one"'],
  },
  {
    name: 'a wrong code is refused after the end too',
    run: async (kit) => {
      const channel = kit.open(ECHO);
      await channel.ready;
      await channel.sink.close();
      return thrown(() => channel.sink.close(1001));
    },
    expect: 'USAGE',
  },
  {
    name: 'sending after our own close is refused',
    run: async (kit) => {
      const channel = kit.open(ECHO);
      await channel.ready;
      const closing = channel.sink.close(1000);
      const early = await outcome(() => channel.sink.add('too late'));
      await closing;
      return [early, await outcome(() => channel.sink.add('later')), (await kit.report(channel)).messages];
    },
    expect: ['CLOSED', 'CLOSED', []],
  },
  {
    name: 'sending after the peer’s close is refused in the same way',
    run: async (kit) => {
      const channel = kit.open({ acts: [{ close: 4000 }] });
      await channel.closed;
      return [await outcome(() => channel.sink.add('late')), await outcome(() => channel.sink.addStream(['late']))];
    },
    expect: ['CLOSED', 'CLOSED'],
  },
  {
    name: 'what the peer writes after our close is not heard',
    run: async (kit) => {
      const channel = kit.open({ acts: [{ take: 1 }, { text: 'one' }, { take: 1 }, { text: 'two' }], onClose: 'answer' });
      await channel.sink.add('go');
      const messages = channel.stream[Symbol.asyncIterator]();
      const first = await take(messages, 1);
      void channel.sink.add('and');
      void channel.sink.close(1000);
      return [first, await take(messages, 1), endOf(await channel.closed)];
    },
    expect: [['one'], [], 'local 1000 clean'],
  },
  {
    name: 'what came before the end can be read after it',
    run: async (kit) => {
      const channel = kit.open({ acts: [{ text: 'a' }, { bytes: [1] }, { text: 'c' }, { close: 1000 }] });
      await channel.closed;
      return readAll(channel);
    },
    expect: ['a', '[1]', 'c'],
  },
  {
    name: 'what was sent before the close arrives',
    run: async (kit) => {
      const channel = kit.open({ acts: [{ take: 100 }] });
      for (let n = 0; n < 100; n++) void channel.sink.add(String(n));
      await channel.ready;
      const end = endOf(await channel.sink.close(1000));
      return [end, (await kit.report(channel)).messages.length];
    },
    expect: ['local 1000 clean', 100],
  },
  {
    name: 'closes that cross are one end',
    run: async (kit) => {
      const channel = kit.open({ acts: [{ take: 1 }, { close: 4000 }], onClose: 'answer' });
      await channel.ready;
      await channel.sink.add('go');
      const end = await channel.sink.close(4000);
      return [end.by === 'local' || end.by === 'peer', end.code, end.clean];
    },
    expect: [true, 4000, true],
  },
  {
    name: 'a peer that never answers our close is let go at the deadline',
    run: async (kit) => {
      const channel = kit.open({ onClose: 'ignore' }, { closeTimeoutMs: 60 });
      await channel.ready;
      return endOf(await channel.sink.close(1000, 'bye'));
    },
    expect: 'local 1006 unclean CONNECTION_LOST',
  },
  {
    name: 'a peer that resets at our close ends it uncleanly',
    run: async (kit) => {
      const channel = kit.open({ onClose: 'reset' });
      await channel.ready;
      return endOf(await channel.sink.close(1000));
    },
    expect: 'local 1006 unclean CONNECTION_LOST',
  },
  {
    name: 'a peer that hangs up at our close ends it uncleanly',
    run: async (kit) => {
      const channel = kit.open({ onClose: 'hangup' });
      await channel.ready;
      return endOf(await channel.sink.close(1000));
    },
    expect: 'local 1006 unclean CONNECTION_LOST',
  },
  {
    name: 'frames after the peer’s close are not heard',
    raw: true,
    run: async (kit) => {
      const channel = kit.open({ acts: [{ raw: `${closeFrame(4000, 'end')}${frame(1, 'after')}` }], onClose: 'hangup' });
      return [await readAll(channel), endOf(await channel.closed)];
    },
    expect: [[], 'peer 4000 clean "end"'],
    differs: {
      chromium: [[], 'network 1006 unclean CONNECTION_LOST'],
      why: 'Chromium takes what follows in the same segment for a breach',
    },
  },
];

export const CLOSE_CASES: readonly ConformanceCase[] = [
  ...refusedCodes,
  ...acceptedCodes,
  ...reasonsSaid,
  ...reasonsRefused,
  ...heardCodes,
  ...heardReasons,
  ...illegal,
  ...malformed,
  ...afterwards,
];
