export type { EntryMeta, Identity, Meta, Model, Order, PredictedMeta, StatePosition } from './model.ts';
export { Replica, type Pending, type Proposal, type ReplicaOptions, type ReplicaStatus } from './replica.ts';
export { Fold, type FoldOptions, type Submission } from './fold.ts';
export { decodeSnapshot, encodeSnapshot, initialSnapshot, type Snapshot } from './snapshot.ts';
export type { Observable } from './observable.ts';
export type { UnusableListener } from './confirmed.ts';
export { HoldfastError, type Data, type EntryRecord, type ErrorCode, type GapReason, type Json } from '@holdfast/wire';
