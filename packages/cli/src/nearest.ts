/** What may have been meant by a misspelt name. */

/** The end of a sentence, such as `; did you mean --port?`; nothing where no name is near. */
export function nearest(name: string, names: readonly string[], prefix = '--'): string {
  const [best] = names.map((other) => ({ other, distance: editDistance(name, other) })).sort((a, b) => a.distance - b.distance);
  return best === undefined || best.distance > Math.min(3, Math.ceil(name.length / 2)) ? '' : `; did you mean ${prefix}${best.other}?`;
}

/** Levenshtein's: insertions, deletions and replacements. */
function editDistance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let at = 1; at <= one.length; at++) {
    const next = [at];
    for (let to = 1; to <= other.length; to++) {
      const replaced = row[to - 1]! + (one[at - 1] === other[to - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[to]! + 1, next[to - 1]! + 1));
    }
    row = next;
  }
  return row[other.length]!;
}
