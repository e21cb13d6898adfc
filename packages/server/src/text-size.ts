/** How much of a frame a text takes. */

import { utf8Length } from '@holdfast/wire';

/** Whether a text is longer than so many bytes of UTF-8. Counts only where it must: no UTF-16 unit takes more than three bytes. */
export function isLongerThan(text: string, bytesMax: number): boolean {
  return text.length > bytesMax || (text.length * 3 > bytesMax && utf8Length(text) > bytesMax);
}
