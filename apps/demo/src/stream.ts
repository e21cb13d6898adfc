/**
 * What the room shows, top to bottom: what the log holds, and after it what the outbox still holds. A message keeps its key
 * from the moment it is written until it stands in the log, so that it stays the same element on the page.
 */

import type { GapItem, OutboxRow, ViewState } from '@holdfast/client';

/** `waiting`: in the outbox. `stored`: in the log. `uncertain`: sent, and nobody knows. */
export type MessageState = 'waiting' | 'stored' | 'uncertain';

export interface Message {
  readonly kind: 'message';
  readonly key: string;
  readonly text: string;
  readonly from: string;
  /** Wall clock, ms: the server's for what is stored. */
  readonly at: number;
  readonly isMine: boolean;
  readonly state: MessageState;
  /** The row of the outbox; only what is not stored has one. */
  readonly rowId: number | undefined;
  /** Whether it begins and ends a run of messages of one person. */
  readonly isFirst: boolean;
  readonly isLast: boolean;
}

export interface Day {
  readonly kind: 'day';
  readonly key: string;
  readonly at: number;
}

export interface Hole {
  readonly kind: 'gap';
  readonly key: string;
  readonly gap: GapItem;
}

export type StreamItem = Message | Day | Hole;

/** What of a topic's view is shown. */
export type Shown = Pick<ViewState, 'entries' | 'gap'>;

/** Which row of the outbox a publish was, by producer and seq; kept for as long as the room is open. */
export type RowKeys = Map<string, string>;

/** Messages of one person within this time stand together. */
const RUN_MS = 5 * 60_000;

/** What an entry says: its `text`, or the payload itself where somebody sent something else. */
export function textOf(data: unknown): string {
  if (data instanceof Uint8Array) return `${data.length} bytes`;
  const text = typeof data === 'object' && data !== null ? (data as { text?: unknown }).text : data;
  return typeof text === 'string' ? text : JSON.stringify(data);
}

/** The room's items. `rowKeys` is added to, so that the next call knows a stored message by the row that it was. */
export function streamOf(view: Shown, rows: readonly OutboxRow[], me: string, rowKeys: RowKeys): readonly StreamItem[] {
  const items: (Draft | Day | Hole)[] = [];
  const stored = new Set<string>();
  let day = '';
  const say = (draft: Draft): void => {
    const date = new Date(draft.at).toDateString();
    if (date !== day) items.push({ kind: 'day', key: `day ${draft.key}`, at: draft.at });
    day = date;
    items.push(draft);
  };

  const { entries, gap } = view;
  if (gap !== undefined && isGapShown(view)) items.push({ kind: 'gap', key: `gap ${gap.after.epoch} ${gap.after.offset}`, gap });
  for (const { offset, producer, seq, from, at, data } of entries) {
    const publish = `${producer} ${seq}`;
    stored.add(publish);
    const key = rowKeys.get(publish) ?? `${publish} ${offset}`;
    say({ kind: 'message', key, text: textOf(data), from, at, isMine: from === me, state: 'stored', rowId: undefined });
  }
  for (const { id, producer, seq, at, items: payloads, state } of rows) {
    if (producer !== undefined && seq !== undefined) {
      // Stored, and the acknowledgement is still on its way.
      if (stored.has(`${producer} ${seq}`)) continue;
      rowKeys.set(`${producer} ${seq}`, `row ${id}`);
    }
    say({
      kind: 'message',
      key: `row ${id}`,
      text: textOf(payloads[0]),
      from: me,
      at,
      isMine: true,
      state: state === 'uncertain' ? 'uncertain' : 'waiting',
      rowId: id,
    });
  }
  return inRuns(items);
}

type Draft = Omit<Message, 'isFirst' | 'isLast'>;

/** A view's entries begin after its last gap, unless the oldest were let go since. */
function isGapShown({ entries: [first], gap }: Shown): boolean {
  return gap !== undefined && (first === undefined || first.offset === gap.after.offset + 1);
}

function inRuns(items: readonly (Draft | Day | Hole)[]): readonly StreamItem[] {
  const together = (a: Draft | Day | Hole | undefined, b: Draft | Day | Hole | undefined): boolean =>
    a?.kind === 'message' && b?.kind === 'message' && a.from === b.from && Math.abs(b.at - a.at) < RUN_MS;
  return items.map((item, index) =>
    item.kind === 'message' ? { ...item, isFirst: !together(items[index - 1], item), isLast: !together(item, items[index + 1]) } : item,
  );
}
