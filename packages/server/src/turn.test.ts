/** On the real event loop: immediates, microtasks and their order. */

import { createServer, connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { defer, deferToEnd } from './turn.ts';

/** Runs `task` where arrivals are handled, and resolves two turns later. */
async function inPoll(task: () => void): Promise<void> {
  const server = createServer((socket) => socket.end('x')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  await new Promise<void>((resolve) =>
    socket.once('data', () => {
      task();
      setTimeout(resolve, 0);
    }),
  );
  await new Promise<void>((resolve) => server.close(() => resolve()));
}

test('the end comes after what was deferred, and after what followed of it at once, before the next turn', async () => {
  const order: string[] = [];
  const note = (what: string) => (): void => void order.push(what);
  await inPoll(() => {
    deferToEnd(note('end, asked first'));
    defer(() => {
      order.push('deferred');
      void Promise.resolve()
        .then(note('a promise of it'))
        .then(() => deferToEnd(note('end, asked by the promise')));
      // Of the next turn.
      defer(() => {
        order.push('deferred by the deferred');
        deferToEnd(note('end of the next turn'));
      });
    });
    defer(note('deferred second'));
  });
  expect(order).toEqual([
    'deferred',
    'a promise of it',
    'deferred second',
    'end, asked first',
    'end, asked by the promise',
    'deferred by the deferred',
    'end of the next turn',
  ]);
});

test('without anything deferred it comes as well, and what is asked at the end comes at the end of the next', async () => {
  const order: string[] = [];
  await inPoll(() => {
    deferToEnd(() => {
      order.push('first');
      deferToEnd(() => order.push('second'));
      defer(() => order.push('deferred'));
    });
  });
  expect(order).toEqual(['first', 'deferred', 'second']);
});
