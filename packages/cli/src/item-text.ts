/** An item of a topic as a line: for people, or as JSON for programs. */

import type { GapItem, Item } from '@holdfast/client';
import { encodeBase64, type Position } from '@holdfast/wire';

/** One JSON object; bytes are base64 in `bytes` in place of `data`, as on the wire (PROTOCOL.md HF-1.6). */
export function itemJson(item: Item): string {
  if (item.type !== 'entry' || !(item.data instanceof Uint8Array)) return JSON.stringify(item);
  const { data, ...fields } = item;
  return JSON.stringify({ ...fields, bytes: encodeBase64(data) });
}

/** Columns: offset, time, who, what. */
export function itemText(item: Item): string {
  if (item.type === 'gap') return `--  ${gapText(item)}`;
  if (item.type === 'register') return printable(`--  register ${item.key} = ${JSON.stringify(item.value)} (revision ${item.revision})`);
  const { offset, at, from, data } = item;
  const what = data instanceof Uint8Array ? `<${data.length} bytes> ${encodeBase64(data)}` : JSON.stringify(data);
  return printable(`${offset}  ${new Date(at).toISOString()}  ${from}  ${what}`);
}

const REASONS: Readonly<Record<GapItem['reason'], string>> = {
  retention: 'history was cut',
  epoch: 'the log began anew',
  ahead: 'the position was past the end of the log',
  floor: 'the right to read begins later',
};

function gapText({ reason, before, after }: GapItem): string {
  const isSame = before.epoch === after.epoch && after.offset > before.offset;
  const what = isSame ? `entries ${before.offset + 1} to ${after.offset} are missing` : `from ${placeText(before)} to ${placeText(after)}`;
  return `gap: ${what} (${reason}: ${REASONS[reason]})`;
}

function placeText({ epoch, offset }: Position): string {
  return `${epoch}/${offset}`;
}

/** What could steer a terminal is shown as an escape. */
function printable(line: string): string {
  return line.replaceAll(
    /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
