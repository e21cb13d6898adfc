/**
 * A state with its place in the log, as JSON: what a late joiner begins with, what a server writes down in order not to fold
 * a whole log again. It is never the truth: the log is, and any snapshot can be made anew from it.
 */

import { HoldfastError, type Json } from '@holdfast/wire';
import type { Model, StatePosition } from './model.ts';

export interface Snapshot extends StatePosition {
  /** Whose state it is: `name@version` of the model. */
  readonly model: string;
  readonly state: Json;
}

/** A state at its position, for keeping or sending. */
export function encodeSnapshot<State, Operation>(model: Model<State, Operation>, state: State, { epoch, offset }: StatePosition): Snapshot {
  const json = model.encode === undefined ? (state as Json) : model.encode(state);
  return { epoch, offset, model: `${model.name}@${model.version}`, state: json };
}

/** The state before the first entry of a log: where everything can begin that has no later snapshot. */
export function initialSnapshot<State, Operation>(model: Model<State, Operation>, epoch: string): Snapshot {
  return encodeSnapshot(model, model.initial(), { epoch, offset: 0 });
}

/**
 * The state in a snapshot. Throws `USAGE` for that of another model, of a newer version, or of an older one without
 * `upgrade`, for a position that is none, and what `upgrade` and `decode` throw.
 */
export function decodeSnapshot<State, Operation>(model: Model<State, Operation>, snapshot: Snapshot): State {
  const at = snapshot.model.lastIndexOf('@');
  const version = Number(snapshot.model.slice(at + 1));
  const isOurs = snapshot.model.slice(0, at) === model.name && Number.isSafeInteger(version);
  if (!isOurs || version > model.version || (version < model.version && model.upgrade === undefined))
    throw new HoldfastError('USAGE', `a snapshot of ${snapshot.model} for the model ${model.name}@${model.version}`);
  if (!Number.isSafeInteger(snapshot.offset) || snapshot.offset < 0 || typeof snapshot.epoch !== 'string')
    throw new HoldfastError('USAGE', `a snapshot at ${snapshot.epoch}/${snapshot.offset}`);
  const json = version < model.version ? model.upgrade!(snapshot.state, version) : snapshot.state;
  return model.decode === undefined ? (json as State) : model.decode(json);
}
