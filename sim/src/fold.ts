/** A projection: what an application makes of a log, one entry after the other. It can go on from any checkpoint (HF-15, decision 20). */

/** What was folded, from where to where. JSON, so that it is stored beside a position. */
export interface Fold {
  readonly epoch: string;
  /** Begins after this offset. */
  readonly from: number;
  /** FNV-1a over the ids of the entries that were seen. */
  readonly digest: number;
  readonly count: number;
}

/** Nothing yet. */
export function emptyFold(epoch: string, from: number): Fold {
  return { epoch, from, digest: 0x811c9dc5, count: 0 };
}

/** One entry more. */
export function foldedWith(fold: Fold, id: string): Fold {
  let { digest } = fold;
  for (let at = 0; at < id.length; at++) digest = Math.imul(digest ^ id.charCodeAt(at), 0x01000193);
  // The end of an id counts too: "a", "b" is not "ab".
  return { ...fold, digest: Math.imul(digest ^ 0xffff, 0x01000193) >>> 0, count: fold.count + 1 };
}
