import { expect, test } from 'vitest';
import { Accounts } from './accounts.ts';
import { limitSetWith } from './node-limits.ts';

const NOW = 1_700_000_000_000;

test('an account lives while it has connections, and after that as long as something of it is remembered', () => {
  const accounts = new Accounts(limitSetWith({ subjectRequestsPerSecond: 1, burstMs: 10_000 }).node, 'subject');
  const first = accounts.enter('alice');
  expect(accounts.enter('alice')).toBe(first);
  first.allowance.take({ Requests: 5 }, NOW);
  accounts.leave(first);
  accounts.forgetIdle(NOW + 3_600_000);
  expect([accounts.count, accounts.connectionCount('alice'), accounts.connectionCount('bob')]).toEqual([1, 1, 0]);
  first.allowance.take({ Requests: 5 }, NOW + 3_600_000);
  accounts.leave(first);
  accounts.forgetIdle(NOW + 3_604_999);
  expect(accounts.enter('alice')).toBe(first);
  accounts.leave(first);
  accounts.forgetIdle(NOW + 3_605_000);
  expect([accounts.count, accounts.enter('alice') === first]).toEqual([0, false]);
});
