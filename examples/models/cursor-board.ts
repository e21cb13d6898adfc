/** Where everybody points on a board. Whose cursor it is says the entry, not the operation: so nobody moves another one's. */

import { HoldfastError, type Identity, type Model } from '@holdfast/model';

export interface Point {
  /** From the left and from the top, 0 to 1. */
  readonly x: number;
  readonly y: number;
}

/** `null` takes the cursor off the board. */
export type Pointing = { readonly to: Point | null };

export const cursorBoard: Model<{ readonly [subject: string]: Point }, Pointing> = {
  name: 'cursor-board',
  version: 1,
  initial: () => ({}),
  parse(data) {
    const { to } = Object(data) as { to?: Point | null };
    if (to === null) return { to };
    const isOnBoard = [to?.x, to?.y].every((place) => typeof place === 'number' && place >= 0 && place <= 1);
    if (to === undefined || !isOnBoard) throw new HoldfastError('REFUSED', 'want {"to": {"x": 0 to 1, "y": 0 to 1}} or {"to": null}');
    return { to: { x: to.x, y: to.y } };
  },
  apply(cursors, { to }, { from }) {
    const { [from]: _mine, ...others } = cursors;
    return to === null ? others : { ...others, [from]: to };
  },
  admit: (_cursors, _pointing, { subject }) =>
    subject.startsWith('guest-') ? new HoldfastError('FORBIDDEN', 'guests look and do not point') : undefined,
  // One's own cursor is on the screen anyway.
  view(cursors, { subject }: Identity) {
    const { [subject]: _own, ...others } = cursors;
    return others;
  },
};
