import { expect, test } from 'vitest';
import { createTickets, TICKET_PREFIX } from './index.ts';
import { NOW_MS, refusalOf, WallClock } from './refusal.testing.ts';

const alice = {
  subject: 'alice',
  claims: { role: 'editor' },
  credentialId: 'c-1',
  issuedAtMs: NOW_MS - 1000,
  expiresAtMs: NOW_MS + 60_000,
};

test('a ticket gives the identity it was issued for, with the end and the id of its credentials, once', async () => {
  const tickets = createTickets({ clock: new WallClock() });
  const { ticket, expiresAtMs } = tickets.issue(alice);
  expect(expiresAtMs).toBe(NOW_MS + 30_000);
  expect(tickets.redeem(ticket)).toMatchObject(alice);
  expect(await refusalOf(() => tickets.redeem(ticket), ticket)).toMatchObject({
    code: 'UNAUTHENTICATED',
    message: 'the ticket is not known here: it was used already, has run out, or is of another server',
    hint: 'Get a new ticket for every connection.',
  });
  expect(tickets.count).toBe(0);
});

test('has 256 bits of chance', () => {
  const asked: number[] = [];
  const tickets = createTickets({ random: (bytes) => (asked.push(bytes), new Uint8Array(bytes).fill(255)) });
  const { ticket } = tickets.issue(alice.expiresAtMs > Date.now() ? alice : { subject: 'alice' });
  expect(asked).toEqual([32]);
  expect(ticket).toBe(`${TICKET_PREFIX}${'_'.repeat(42)}8`);
  const others = new Set(Array.from({ length: 100 }, () => createTickets().issue({ subject: 'alice' }).ticket));
  expect(others.size).toBe(100);
});

test('runs out, at its own time or with the credentials', async () => {
  const clock = new WallClock();
  const tickets = createTickets({ clock, lifetimeMs: 1_000 });
  const short = tickets.issue({ ...alice, expiresAtMs: NOW_MS + 400 });
  const long = tickets.issue(alice);
  const longer = tickets.issue(alice);
  expect([short.expiresAtMs, long.expiresAtMs]).toEqual([NOW_MS + 400, NOW_MS + 1_000]);
  clock.nowMs += 400;
  expect(await refusalOf(() => tickets.redeem(short.ticket), short.ticket)).toMatchObject({
    code: 'UNAUTHENTICATED',
    message: 'the ticket has run out',
  });
  clock.nowMs += 599;
  expect(tickets.redeem(long.ticket)).toMatchObject(alice);
  clock.nowMs += 1;
  expect(await refusalOf(() => tickets.redeem(longer.ticket), longer.ticket)).toMatchObject({ message: 'the ticket has run out' });
});

test('none is issued for credentials that have ended, or for nobody', async () => {
  const tickets = createTickets({ clock: new WallClock() });
  expect(await refusalOf(() => tickets.issue({ ...alice, expiresAtMs: NOW_MS }))).toMatchObject({ code: 'TOKEN_EXPIRED' });
  expect(await refusalOf(() => tickets.issue({ subject: '' }))).toMatchObject({ code: 'USAGE' });
});

test('a ticket gives no other ticket, so that nobody lives on by changing one for the next', async () => {
  const tickets = createTickets({ clock: new WallClock() });
  const endless = { subject: 'alice' };
  const redeemed = tickets.redeem(tickets.issue(endless).ticket);
  for (const identity of [redeemed, { ...redeemed }, { ...redeemed, claims: { role: 'member' } }]) {
    expect(await refusalOf(() => tickets.issue(identity))).toMatchObject({ code: 'FORBIDDEN', message: 'a ticket gives no other ticket' });
  }
  expect(JSON.stringify(redeemed)).toBe(JSON.stringify(endless));
  // Who shows what it stood for gets as many as before.
  tickets.issue(endless);
  expect(tickets.count).toBe(1);
});

test('there are only so many; those that ran out make room, good ones do not', async () => {
  const clock = new WallClock();
  const tickets = createTickets({ clock, ticketsMax: 2, lifetimeMs: 1_000 });
  const { ticket } = tickets.issue(alice);
  clock.nowMs += 500;
  const second = tickets.issue(alice);
  expect(await refusalOf(() => tickets.issue(alice), ticket)).toMatchObject({ code: 'OVERLOADED', retryable: true, retryAfterMs: 1_000 });
  clock.nowMs += 500;
  tickets.issue(alice);
  expect(tickets.count).toBe(2);
  expect(tickets.redeem(second.ticket)).toMatchObject(alice);
});

test('one subject cannot use up what is there for all', async () => {
  const clock = new WallClock();
  const tickets = createTickets({ clock, subjectTicketsMax: 2, lifetimeMs: 1_000 });
  const first = tickets.issue(alice);
  tickets.issue(alice);
  expect(await refusalOf(() => tickets.issue(alice))).toMatchObject({
    code: 'OVERLOADED',
    message: '2 tickets of this subject are waiting to be used',
    retryAfterMs: 1_000,
  });
  tickets.issue({ subject: 'bob' });
  tickets.redeem(first.ticket);
  tickets.issue(alice);
  expect(tickets.count).toBe(3);
  clock.nowMs += 1_000;
  tickets.issue(alice);
  expect(tickets.count).toBe(1);
});
