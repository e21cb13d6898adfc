/** Names from outside as names of the protocol (PROTOCOL.md HF-1.1, HF-1.2): different ones stay different. */

import { createHash } from 'node:crypto';

const NAME_LENGTH_MAX = 64;

/** A client's name: what is not legal becomes `~` and two hexadecimal digits per byte; what becomes too long, a digest. */
export function legalName(text: string): string {
  const name = escaped(text, /[A-Za-z0-9_.-]/, '~');
  return name.length <= NAME_LENGTH_MAX ? name : `~${createHash('sha256').update(text).digest('hex').slice(0, 40)}`;
}

/** A segment of a topic's name, with `=` for `%`. */
export function legalTopicSegment(text: string): string {
  return escaped(text, /[A-Za-z0-9_.:@~+,-]/, '=');
}

function escaped(text: string, legal: RegExp, sign: string): string {
  return [...text].map((character) => (legal.test(character) ? character : hexOf(character, sign))).join('');
}

function hexOf(character: string, sign: string): string {
  return [...Buffer.from(character)].map((byte) => `${sign}${byte.toString(16).padStart(2, '0')}`).join('');
}
