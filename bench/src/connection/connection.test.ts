import { describe, expect, test } from 'vitest';
import { bundleSize } from './bundle-size.ts';
import { benchConnection, otherVersions, type ConnectionPlan } from './connection.ts';
import type { Contender } from './contender.ts';
import { CONTENDERS } from './contenders.ts';
import { countOutOfOrder } from './freezes.ts';
import { goalsOf } from './goals.ts';
import { densest } from './herd.ts';
import { holdfastClient } from './holdfast-client.ts';
import { holdfastConnection, holdfastConnectionConfirmed } from './holdfast-connection.ts';
import { connectionTable, type ConnectionRow, type Measure } from './row.ts';
import { socketIo, socketIoRetries } from './socket-io.ts';
import { partySocket, reconnectingWebSocket, websocketTs } from './wrappers.ts';

/** Some seconds: those that wait long before they come back are left out where that is waited for. */
const SHORT_PLAN: ConnectionPlan = {
  halfOpen: { heartbeatMs: 200, ownLinks: 2, otherLinks: 1, patienceMs: 2_000 },
  slowLink: { heartbeatMs: 500, links: 2, cases: [{ name: 'slow', bytesPerSecond: 640_000, messageBytes: 64_000, messages: 2 }] },
  freezes: { freezes: 1, freezeMs: 200, perSecond: 50, durationMs: 500, soundMs: 200, quietMs: 300 },
  herd: { clients: 8, spreadMs: 100, ownRounds: 1, otherRounds: 1 },
  alone: { clients: 2, betweenMs: 10 },
};
const OWN: readonly Measure[] = ['half-open link', 'slow link', 'freezes'];
const LOSSES: readonly Measure[] = ['half-open link', 'freezes'];

function taking(contender: Contender, measures: readonly Measure[]): Contender {
  return { ...contender, measures };
}

describe('a short run', () => {
  const contenders = [
    taking(holdfastClient, [...OWN, 'herd', 'alone']),
    taking(holdfastConnection, OWN),
    holdfastConnectionConfirmed,
    taking(partySocket, ['half-open link', 'slow link']),
    taking(reconnectingWebSocket, ['half-open link']),
    taking(websocketTs, LOSSES),
    taking(socketIo, LOSSES),
    socketIoRetries,
  ];

  test('counts what each of them noticed, lost and doubled', async () => {
    const rows = await benchConnection(contenders, SHORT_PLAN, () => {});
    const of = (measure: Measure): Record<string, ConnectionRow['figures']> =>
      Object.fromEntries(rows.filter((row) => row.measure === measure).map(({ name, figures }) => [name, figures]));
    expect(of('half-open link')).toMatchObject({
      'holdfast client': { links: 2, found: 2 },
      'holdfast connection': { links: 2, found: 2 },
      partysocket: { links: 1, found: 0, 'after, max, ms': null },
      'reconnecting-websocket': { found: 0 },
      'websocket-ts': { found: 0 },
      'socket.io': { found: 1 },
    });
    const arrived = { 'slow: arrived of 4': 4 };
    expect(of('slow link')).toMatchObject({
      'holdfast client': arrived,
      'holdfast connection': arrived,
      partysocket: arrived,
    });
    const { 'holdfast client': ours, 'websocket-ts': wrapper, 'socket.io': plain, 'socket.io, retries': retrying } = of('freezes');
    expect(ours).toMatchObject({ acknowledged: ours!['sent'], arrived: ours!['sent'], lost: 0, doubled: 0, 'out of order': 0 });
    const { 'holdfast connection': bare, 'holdfast connection, acknowledge': confirmed } = of('freezes');
    expect(confirmed).toMatchObject({ acknowledged: confirmed!['sent'], lost: 0 });
    expect([bare!['lost'], wrapper!['lost'], plain!['lost']]).not.toContain(0);
    expect(retrying).toMatchObject({ acknowledged: retrying!['sent'], lost: 0 });
    expect(of('herd')).toMatchObject({ 'holdfast client': { clients: 8, rounds: 1, 'attempts per client': 1 } });
    expect(of('alone')).toMatchObject({ 'holdfast client': { drops: 2, back: 2 } });
    expect(connectionTable(rows)).toContain('| half-open link | heartbeat | links |');
  });
});

test('every package that is measured has a version, and no name comes twice', () => {
  expect(Object.keys(otherVersions(CONTENDERS))).toEqual(['partysocket', 'reconnecting-websocket', 'websocket-ts', 'socket.io-client']);
  expect(new Set(CONTENDERS.map(({ name }) => name)).size).toBe(CONTENDERS.length);
});

test('the densest window is found wherever it lies, and is as wide as it says', () => {
  expect(densest([0, 99, 100, 250])).toBe(2);
  expect(densest([5, 195, 204, 210, 285, 301])).toBe(4);
  expect(densest([])).toBe(0);
});

test('what arrives again is not out of order, what comes late is', () => {
  expect(countOutOfOrder([1, 2, 1, 2, 3])).toBe(0);
  expect(countOutOfOrder([1, 3, 2, 4])).toBe(1);
});

test('a goal is met by the figure, not by its absence', () => {
  const row = (reached: number | null): ConnectionRow => ({
    measure: 'half-open link',
    name: 'x',
    figures: { 'after, max, ms': reached },
  });
  const verdictOf = (reached: number | null): unknown => goalsOf([row(reached)], ['x'])[0]?.figures['verdict'];
  expect([2_500, 2_501, null].map(verdictOf)).toEqual(['met', 'not met', 'not met']);
  expect(goalsOf([row(1)], ['y'])).toEqual([]);
});

test('the size of a bundle is that of its code', async () => {
  const { minifiedBytes, brotliBytes } = await bundleSize('export const answer = 42;');
  expect(minifiedBytes).toBeGreaterThan(10);
  expect(minifiedBytes).toBeLessThan(60);
  expect(brotliBytes).toBeGreaterThan(10);
});
