/** How many are left of something that several people take: a sum needs no rebase, it is the same wherever an operation comes to stand. */

import { HoldfastError, type Model } from '@holdfast/model';

/** Negative takes, positive brings. */
export type Change = { readonly add: number };

export const counter: Model<number, Change> = {
  name: 'counter',
  version: 1,
  initial: () => 0,
  parse(data) {
    const { add } = Object(data) as Partial<Change>;
    if (add === undefined || !Number.isSafeInteger(add)) throw new HoldfastError('REFUSED', 'want {"add": integer}');
    return { add };
  },
  apply(left, { add }) {
    if (left + add < 0) throw new HoldfastError('REFUSED', `only ${left} left`);
    return left + add;
  },
  admit: (_left, { add }, { subject }) =>
    add > 0 && subject !== 'keeper' ? new HoldfastError('FORBIDDEN', 'only the keeper brings more') : undefined,
};
