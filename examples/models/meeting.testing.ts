/** Two people and one order, without a network: everything due is published, gets its place or a refusal, and comes to both. */

import { Fold, HoldfastError, initialSnapshot, Replica, type Data, type EntryRecord, type Model } from '@holdfast/model';

export interface Meeting<State, Operation> {
  readonly one: Replica<State, Operation>;
  readonly other: Replica<State, Operation>;
  readonly fold: Fold<State, Operation>;
  /** Publishes what is due, the first one's before the other's, and delivers the log. Returns the refusals. */
  exchange(): readonly string[];
}

export function meet<State, Operation>(model: Model<State, Operation>, names: readonly [string, string]): Meeting<State, Operation> {
  const log: EntryRecord[] = [];
  const fold = new Fold(model, initialSnapshot(model, 'e1'));
  const [one, other] = names.map((from) => new Replica(model, { from })) as [Replica<State, Operation>, Replica<State, Operation>];
  for (const replica of [one, other]) replica.restore(initialSnapshot(model, 'e1'));
  let seq = 0;

  function publish(replica: Replica<State, Operation>, from: string): readonly string[] {
    const refusals: string[] = [];
    for (let due = replica.due(1); due !== undefined; due = replica.due(1)) {
      const { ids, operations, base } = due;
      const producer = `of ${from}`;
      seq += 1;
      replica.sent(ids, producer, seq);
      const verdict = fold.admit({ operations: operations as readonly Data[], base, producer }, { subject: from });
      if (verdict instanceof HoldfastError) {
        refusals.push(verdict.message);
        for (const id of ids) replica.refuse(id);
        continue;
      }
      for (const operation of verdict) {
        log.push({ offset: log.length + 1, from, producer, seq, at: 0, data: operation as Data });
        fold.take(log.at(-1)!);
      }
    }
    return refusals;
  }

  return {
    one,
    other,
    fold,
    exchange() {
      const refusals = [...publish(one, names[0]), ...publish(other, names[1])];
      for (const entry of log) for (const replica of [one, other]) replica.confirm(entry);
      return refusals;
    },
  };
}
