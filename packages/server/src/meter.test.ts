import { beforeEach, describe, expect, test } from 'vitest';
import { Accounts, type Account } from './accounts.ts';
import { Meter } from './meter.ts';
import { limitSetWith, type LimitChanges, type NodeLimits } from './node-limits.ts';
import { VirtualClock } from './virtual-clock.testing.ts';

let clock: VirtualClock;
let told: string[];
let limits: NodeLimits;
let address: Account;
let subject: Account;

beforeEach(() => set({}));

function set(changes: LimitChanges): void {
  clock = new VirtualClock();
  told = [];
  limits = limitSetWith({ burstMs: 1_000, ...changes }).node;
  address = new Accounts(limits, 'address').enter('192.0.2.1');
  subject = new Accounts(limits, 'subject').enter('alice');
}

function meter(of?: Account): Meter {
  const made = new Meter(
    { services: { clock, nodeLimits: limits }, onLimited: (limit, isNew) => told.push(isNew ? limit : `(${limit})`) },
    address,
  );
  made.subject = of;
  return made;
}

function passing(of: Meter, count: number): number {
  return Array.from({ length: count }, () => of.charge({ Requests: 1 })).filter((refusal) => refusal === undefined).length;
}

describe('three scopes, all or none', () => {
  test.each(['connection', 'subject', 'address'] as const)('the limit of the %s', (scope) => {
    set({ [`${scope}RequestsPerSecond`]: 5 });
    const own = meter(subject);
    expect(passing(own, 8)).toBe(5);
    expect(told).toEqual([`${scope}RequestsPerSecond`, ...Array<string>(2).fill(`(${scope}RequestsPerSecond)`)]);
    const refusal = own.charge({ Requests: 1 });
    expect(refusal).toMatchObject({ code: 'RATE_LIMITED', retryable: true, retryAfterMs: 126 });
    expect(refusal?.message).toContain(`limits.${scope}RequestsPerSecond`);
  });

  test('connections of one subject share its allowance; another subject has its own', () => {
    set({ subjectRequestsPerSecond: 5 });
    const [first, second] = [meter(subject), meter(subject)];
    const other = meter(new Accounts(limits, 'subject').enter('bob'));
    expect([passing(first, 3), passing(second, 3), passing(other, 9)]).toEqual([3, 2, 5]);
  });

  test('before it is known whose it is, connection and address count', () => {
    set({ subjectRequestsPerSecond: 1, addressRequestsPerSecond: 3 });
    const unknown = meter();
    expect(passing(unknown, 5)).toBe(3);
    unknown.subject = subject;
    expect(subject.allowance.isUnused(clock.now())).toBe(true);
  });

  test('what one scope refuses takes nothing from the others', () => {
    set({ connectionRequestsPerSecond: 1, subjectRequestsPerSecond: 2 });
    const [first, second] = [meter(subject), meter(subject)];
    expect(passing(first, 100)).toBe(1);
    expect(passing(second, 100)).toBe(1);
  });

  test('of several the longest wait is told, so that nobody comes back in vain', () => {
    set({ connectionRequestsPerSecond: 100, addressBytesPerSecond: 1_024 });
    const own = meter(subject);
    expect(passing(own, 100)).toBe(100);
    own.charge({ Bytes: 10_240 });
    expect(own.charge({ Bytes: 1, Requests: 1 })?.retryAfterMs).toBe(9_126);
  });
});

describe('who goes on against refusals', () => {
  test('is a flood beyond refusalsPerSecond, counted anew each second', async () => {
    set({ refusalsPerSecond: 3 });
    const own = meter(subject);
    const four = (): boolean[] => Array.from({ length: 4 }, () => own.isFlood());
    expect([four(), told]).toEqual([[false, false, false, true], ['refusalsPerSecond']]);
    await clock.advance(1_000);
    expect(four()).toEqual([false, false, false, true]);
    clock.jump(-3_600_000);
    expect(four()).toEqual([false, false, false, true]);
  });
});

describe('telling', () => {
  test('each limit at most once a second, a clock set back or not', async () => {
    const own = meter(subject);
    own.reached('membersMax');
    own.reached('requestsMax');
    await clock.advance(999);
    own.reached('membersMax');
    await clock.advance(1);
    own.reached('membersMax');
    clock.jump(-5_000);
    own.reached('membersMax');
    expect(told).toEqual(['membersMax', 'requestsMax', '(membersMax)', 'membersMax', 'membersMax']);
  });
});
