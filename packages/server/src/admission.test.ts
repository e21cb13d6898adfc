import { beforeEach, describe, expect, test } from 'vitest';
import { Admission } from './admission.ts';
import { addressGroup } from './client-address.ts';
import { limitSetWith, type LimitChanges } from './node-limits.ts';
import { VirtualClock } from './virtual-clock.testing.ts';

let clock: VirtualClock;
let told: string[];
let counts: { all: number; pending: number };
let memoryBytes: number;

beforeEach(() => {
  clock = new VirtualClock();
  told = [];
  counts = { all: 0, pending: 0 };
  memoryBytes = 0;
});

function admission(limits: LimitChanges): Admission {
  return new Admission({
    limits: limitSetWith({ burstMs: 1_000, ...limits }).node,
    clock,
    memory: () => memoryBytes,
    groupOf: addressGroup,
    connections: () => counts,
    onLimited: (limit, key, isNew) => told.push(isNew ? `${limit} ${key}` : `(${limit})`),
  });
}

/** How many of so many are let in. */
function letIn(by: Admission, count: number, address: (at: number) => string = () => '192.0.2.1'): number {
  return Array.from({ length: count }, (_, at) => by.admit(address(at))).filter((refusal) => refusal === undefined).length;
}

describe('HF-2.6: before the upgrade', () => {
  test('as many connections as there may be', () => {
    const door = admission({ connectionsMax: 10, pendingConnectionsMax: 5 });
    counts = { all: 9, pending: 4 };
    expect(door.admit('192.0.2.1')).toBeUndefined();
    counts = { all: 9, pending: 5 };
    expect(door.admit('192.0.2.1')).toMatchObject({ code: 'OVERLOADED', retryAfterMs: 1_000 });
    counts = { all: 10, pending: 0 };
    expect(door.admit('192.0.2.1')).toMatchObject({ code: 'TOO_MANY_CONNECTIONS', retryAfterMs: 1_000 });
    expect(told).toEqual(['pendingConnectionsMax 192.0.2.1', 'connectionsMax 192.0.2.1']);
  });

  test('a burst of the rate, and then the rate', async () => {
    const door = admission({ acceptsPerSecond: 20 });
    expect(letIn(door, 50)).toBe(20);
    await clock.advance(500);
    expect(letIn(door, 50)).toBe(10);
    const refusal = door.admit('192.0.2.1')!;
    expect(refusal).toMatchObject({ code: 'OVERLOADED', retryAfterMs: 1 });
    await clock.advance(refusal.retryAfterMs!);
    expect(door.admit('192.0.2.1')).toBeUndefined();
  });

  test('one address has its own rate, a /64 of IPv6 being one; others are let in', () => {
    const door = admission({ addressAcceptsPerSecond: 5 });
    expect(letIn(door, 20)).toBe(5);
    expect(letIn(door, 20, (at) => `2001:db8::${at + 1}`)).toBe(5);
    expect(letIn(door, 20, (at) => `198.51.100.${at}`)).toBe(20);
  });

  test('who is refused for the address takes nothing from the node', () => {
    const door = admission({ addressAcceptsPerSecond: 5, acceptsPerSecond: 20 });
    expect(letIn(door, 1_000)).toBe(5);
    expect(letIn(door, 1_000, (at) => `198.51.100.${at % 250}`)).toBe(15);
  });

  test('a clock set back neither locks out nor lets in more than a burst', async () => {
    const door = admission({ acceptsPerSecond: 20 });
    expect(letIn(door, 50)).toBe(20);
    clock.jump(-3_600_000);
    expect(letIn(door, 50)).toBe(20);
    await clock.advance(1_000);
    expect(letIn(door, 50)).toBe(20);
  });

  test('Infinity lets everybody in', () => {
    const door = admission({ acceptsPerSecond: Infinity, addressAcceptsPerSecond: Infinity, connectionsMax: Infinity });
    counts = { all: 1e9, pending: 0 };
    expect(letIn(door, 10_000)).toBe(10_000);
  });

  test('each limit is told once a second, and counted each time', async () => {
    const door = admission({ acceptsPerSecond: 1 });
    letIn(door, 3);
    await clock.advance(999);
    letIn(door, 2);
    await clock.advance(1);
    letIn(door, 1);
    expect(told).toEqual(['acceptsPerSecond 192.0.2.1', ...Array<string>(2).fill('(acceptsPerSecond)'), 'acceptsPerSecond 192.0.2.1']);
  });

  test('more addresses than are remembered: the newest still have their rate', () => {
    const door = admission({ addressAcceptsPerSecond: 1, acceptsPerSecond: Infinity });
    const address = (at: number): string => `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`;
    expect(letIn(door, 100_010, address)).toBe(100_010);
    expect(door.admit(address(100_009))).toMatchObject({ code: 'OVERLOADED' });
    expect(door.admit(address(1_000))).toMatchObject({ code: 'OVERLOADED' });
    expect(door.admit(address(0))).toBeUndefined();
  });
});

describe('memory', () => {
  test('is looked at once a second, by whoever asks', async () => {
    const door = admission({ memoryBytesMax: 2_000_000 });
    expect([door.admit('192.0.2.1'), door.lackOfMemory()]).toEqual([undefined, undefined]);
    memoryBytes = 2_000_000;
    expect([door.lackOfMemory(), door.memoryBytes]).toEqual([undefined, 0]);
    await clock.advance(1_000);
    expect(door.lackOfMemory()).toMatchObject({ code: 'OVERLOADED', retryAfterMs: 1_000 });
    expect(door.admit('192.0.2.1')).toMatchObject({ code: 'OVERLOADED' });
    memoryBytes = 1_999_999;
    clock.jump(-3_600_000);
    expect([door.admit('192.0.2.1'), door.memoryBytes]).toEqual([undefined, 1_999_999]);
  });
});

describe('accounts', () => {
  test('the connections of an address and of a subject', () => {
    const door = admission({ addressConnectionsMax: 2, subjectConnectionsMax: 2 });
    const entered = [1, 2, 3].map(() => door.enterAddress('2001:db8::1'));
    expect(entered.map(({ isFull }) => isFull)).toEqual([false, false, true]);
    expect(door.enterAddress('192.0.2.1').isFull).toBe(false);
    expect([1, 2, 3].map(() => door.enterSubject('alice') !== undefined)).toEqual([true, true, false]);
    door.addresses.leave(entered[2]!.account);
    door.addresses.leave(entered[1]!.account);
    expect(door.enterAddress('2001:db8::2').isFull).toBe(false);
  });

  test('those at rest are forgotten', async () => {
    const door = admission({});
    door.admit('192.0.2.1');
    door.addresses.leave(door.enterAddress('192.0.2.1').account);
    await clock.advance(1_000);
    door.sweep();
    expect(door.addresses.count + door.subjects.count).toBe(0);
  });
});
