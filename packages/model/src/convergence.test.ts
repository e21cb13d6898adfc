import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Fold } from './fold.ts';
import { journal, list, type Journal, type JournalOperation, type List, type ListOperation } from './models.testing.ts';
import { initialSnapshot } from './snapshot.ts';
import { World } from './world.testing.ts';

const ACTIONS = fc.oneof(
  { weight: 8, arbitrary: fc.constant('predict' as const) },
  { weight: 5, arbitrary: fc.constantFrom('send' as const, 'arrive' as const, 'answer' as const, 'deliver' as const) },
  { weight: 1, arbitrary: fc.constantFrom('drop', 'rejoin', 'trim', 'crash', 'restart', 'junk', 'decide') as fc.Arbitrary<Rare> },
);
type Rare = 'drop' | 'rejoin' | 'trim' | 'crash' | 'restart' | 'junk' | 'decide';

/** An action, who does it, and a number for whatever it has to choose. */
const scripts = fc.array(fc.tuple(ACTIONS, fc.nat(2), fc.nat(999)), { maxLength: 80, size: 'max' });
type Script = typeof scripts extends fc.Arbitrary<infer T> ? T : never;

function play<State extends { readonly applied: readonly string[] }, Operation extends { readonly id: string }>(
  world: World<State, Operation>,
  script: Script,
  make: (id: string, state: State, chance: number) => Operation,
): void {
  for (const [index, [action, number, chance]] of script.entries()) {
    const peer = world.peers[number]!;
    if (action === 'predict') peer.predict(make(`${peer.name}${index}`, peer.replica.predicted.getSnapshot(), chance));
    else if (action === 'send') peer.send(1 + (chance % 3));
    else if (action === 'arrive') peer.arrive();
    else if (action === 'answer') peer.answer();
    else if (action === 'deliver') peer.deliver(1 + (chance % 4));
    else if (action === 'drop') peer.drop(chance % 4);
    else if (action === 'rejoin') peer.rejoin();
    else if (action === 'decide') peer.decide(chance % 2 === 0);
    else if (action === 'trim') world.trimmed = Math.max(world.trimmed, chance % (world.log.length + 1));
    else if (action === 'crash') world.crash(chance % (world.log.length + 1));
    else if (action === 'restart') world.restart();
    // What an older version wrote, and what cannot be done.
    else world.append('stranger', 'x', index + 1, chance % 2 === 0 ? 'junk' : { id: `stranger${index}`, add: -1_000, remove: 1_000 });
  }
  world.settle();
}

function expectConvergence<State extends { readonly applied: readonly string[] }, Operation extends { readonly id: string }>(
  world: World<State, Operation>,
): void {
  const { model, epoch, log, fold, peers, predicted, fates, crashes } = world;
  const anew = new Fold(model, initialSnapshot(model, epoch));
  for (const entry of log) anew.take(entry);
  expect(fold.state).toEqual(anew.state);
  for (const { replica } of peers) {
    const { phase, position, pending } = replica.status.getSnapshot();
    expect({ phase, position, pending }).toEqual({ phase: 'live', position: { epoch, offset: log.length }, pending: [] });
    expect(replica.confirmed.getSnapshot()).toEqual(anew.state);
    expect(replica.predicted.getSnapshot()).toBe(replica.confirmed.getSnapshot());
  }
  expect(new Set(anew.state.applied).size).toBe(anew.state.applied.length);
  for (const operation of predicted) {
    const { id } = operation;
    expect(anew.state.applied.includes(id)).toBe(world.holds(id));
    if (world.holds(id)) expect(fates.get(id)).not.toBe('refused');
    // A removal of what is gone may end without a word; a log that is gone takes its entries along.
    else if (crashes === 0 && !('remove' in operation)) expect(fates.has(id)).toBe(true);
  }
}

const makeJournal = (id: string, _state: Journal, chance: number): JournalOperation => ({
  id,
  add: (chance % 9) - 4,
  ...(chance % 7 === 0 && { bad: true }),
});

function makeList(id: string, { items }: List, chance: number): ListOperation {
  const bad = chance % 11 === 0 && { bad: true };
  if (chance % 3 === 0 && items.length > 0) return { id, remove: chance % items.length, ...bad };
  return { id, insert: chance % (items.length + 1), ...bad };
}

describe('replicas converge to the fold of the log under delays, drops, resends, refusals, snapshots, cut history and other epochs', () => {
  test('without rebase', () => {
    fc.assert(
      fc.property(scripts, (script) => {
        const world = new World(journal, ['a', 'b', 'c']);
        play(world, script, makeJournal);
        expectConvergence(world);
      }),
      { numRuns: 200 },
    );
  });

  test('with rebase, and what was rebased here is what the server made of it', () => {
    fc.assert(
      fc.property(scripts, (script) => {
        const world = new World(list, ['a', 'b', 'c']);
        play(world, script, makeList);
        expectConvergence(world);
      }),
      { numRuns: 200 },
    );
  });
});
