import { describe, expect, it } from 'vitest';
import { findViolation, MACHINE_FAULTS, modelWith } from './connection-faults.testing.ts';
import { phaseOf, TABLE, type StateName } from './connection-machine.ts';
import { explore, liveness, walk } from './connection-model.testing.ts';
import { walkConnection } from './connection-walk.testing.ts';
import { seededRandom } from './virtual-clock.testing.ts';

const STATES = Object.keys(TABLE) as StateName[];
const ROWS = STATES.flatMap((state) => Object.keys(TABLE[state]).map((event) => `${state} ${event}`));

describe('the machine of a connection', () => {
  const exploration = explore(9);

  it('keeps its promises in every interleaving of nine events', () => {
    expect(exploration.depth).toBe(9);
    expect(exploration.situationCount).toBeGreaterThan(9_000);
    expect(new Set(exploration.edges.flatMap(({ from, to }) => [from, to]))).toEqual(new Set(STATES));
  });

  it('comes back from every situation if the world answers, leaves every socket that does not, and always ends', () => {
    expect(() => exploration.situations.forEach(liveness)).not.toThrow();
  });

  it('keeps them on random walks, and every row of the table is used', () => {
    const { stepCount, rows } = walk(3_000, 60, seededRandom(1));
    expect(stepCount).toBeGreaterThan(50_000);
    const explored = exploration.edges.map(({ from, event }) => `${from} ${event}`);
    expect(ROWS.filter((row) => !rows.has(row) && !explored.includes(row))).toEqual([]);
  });

  it('shows every state as one of seven phases', () => {
    expect(new Set(STATES.map(phaseOf))).toEqual(new Set(['idle', 'connecting', 'open', 'suspect', 'waiting', 'offline', 'closed']));
  });
});

describe('a planted fault is found', () => {
  it.each(MACHINE_FAULTS)('$name: $does', async (fault) => {
    expect(findViolation(await modelWith(fault), 9) ?? 'nothing').toContain(fault.foundAs);
  });
});

it('the real connection leaves nothing behind on random walks: no promise, socket, timer or event after the end', async () => {
  const { actionCount, socketCount, phases } = await walkConnection(300, 60, seededRandom(2));
  expect(actionCount).toBe(18_000);
  expect(socketCount).toBeGreaterThan(500);
  expect(phases).toEqual(new Set(['idle', 'connecting', 'open', 'suspect', 'waiting', 'offline', 'closed']));
});
