import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HubEvent } from '@holdfast/server';
import { HoldfastError } from '@holdfast/wire';
import { expect, test } from 'vitest';
import { logErrors, logEvents } from './event-log.ts';
import { createLogger, type LoggerOptions } from './logger.ts';

function lines(use: (logger: ReturnType<typeof createLogger>) => void, options: LoggerOptions = {}): string[] {
  const written: string[] = [];
  use(createLogger({ level: 'trace', destination: { write: (line) => written.push(line) }, ...options }));
  return written;
}

const FACTS = { session: 's1', address: '192.0.2.1', path: '/' };
const EVENTS: readonly HubEvent[] = [
  { type: 'welcomed', ...FACTS, subject: 'alice', client: 'tab' },
  { type: 'closed', code: 1000, reason: '', durationMs: 5, ...FACTS },
  { type: 'refused', code: 'FORBIDDEN', message: 'no', action: 'connect', ...FACTS },
  { type: 'limited', limit: 'requestsMax', key: 'alice', ...FACTS },
  { type: 'draining', reason: 'restart', connections: 2 },
  { type: 'disconnected', subject: 'alice', connections: 1 },
];

test('one line for each event, with its level, its name and its fields', () => {
  const written = lines((logger) => EVENTS.forEach(logEvents(logger))).map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(written.map(({ level, event }) => `${String(level)} ${String(event)}`)).toEqual([
    'debug welcomed',
    'debug closed',
    'warn refused',
    'warn limited',
    'info draining',
    'info disconnected',
  ]);
  const { time, ...closed } = written[1]!;
  expect(closed).toEqual({
    level: 'debug',
    event: 'closed',
    closeCode: 1000,
    reason: '',
    durationMs: 5,
    ...FACTS,
    msg: 'a connection has ended',
  });
  expect(new Date(String(time)).toISOString()).toBe(time);
});

test('below the level nothing is written', () => {
  expect(lines((logger) => EVENTS.forEach(logEvents(logger)), { level: 'warn' })).toHaveLength(2);
});

test('of an error: its type, code, words, stack and causes, and nothing that it carries', () => {
  const cause = Object.assign(new RangeError('inner'), { config: { data: 'x' } });
  const [line] = lines((logger) => logErrors(logger)(new HoldfastError('STORE_READ_ONLY', 'outer', { cause })));
  const { err } = JSON.parse(line!) as { readonly err: Record<string, unknown> };
  expect(err).toEqual({
    type: 'HoldfastError',
    code: 'STORE_READ_ONLY',
    message: 'outer',
    stack: expect.stringContaining('outer'),
    cause: { type: 'RangeError', message: 'inner', stack: expect.stringContaining('inner') },
  });
});

test('causes in a circle, and what is no error', () => {
  const circle = new Error('round');
  circle.cause = circle;
  const written = lines((logger) => [circle, undefined, null, 7, Symbol('x'), { a: 1 }, 'text'].forEach(logErrors(logger)));
  expect(written).toHaveLength(7);
  expect(written[0]!.match(/"message":"round"/g)).toHaveLength(6);
  expect(written.at(-1)).toContain('"message":"text"');
});

test('for people: one line, what a client sent cannot begin another or move the cursor', () => {
  const written = lines(
    (logger) => logEvents(logger)({ type: 'refused', code: 'FORBIDDEN', message: 'a\nb \u001b[2J \u009b2J', ...FACTS, client: 'x y' }),
    { pretty: true },
  );
  expect(written).toHaveLength(1);
  expect(written[0]).toMatch(
    /^\d\d:\d\d:\d\d\.\d{3} WARN  a connection was refused event=refused why="a\\nb \\u001b\[2J \\u009b2J" code=FORBIDDEN session=s1 address=192\.0\.2\.1 path=\/ client="x y"\n$/,
  );
});

test('for people: an error with its causes below it', () => {
  const [text] = lines((logger) => logErrors(logger)(new Error('outer', { cause: new Error('inner') })), { pretty: true });
  expect(text).toMatch(
    /ERROR something failed that no client may read event=error\n {2}Error: outer\n {2} {4}at [^]*\n {2}caused by\n {4}Error: inner\n/,
  );
});

test('into a file, after what is there', () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-log-'));
  try {
    const path = join(folder, 'deep', 'server.log');
    for (const word of ['one', 'two']) createLogger({ destination: path }).info(word);
    expect(
      readFileSync(path, 'utf8')
        .split('\n')
        .map((line) => /"msg":"(\w+)"/.exec(line)?.[1]),
    ).toEqual(['one', 'two', undefined]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
