/** JSON values and the names of the protocol, mostly legal, sometimes just not (PROTOCOL.md HF-1). */

import type { Json } from '@holdfast/wire';
import type { Chance } from './chance.ts';

const TOPICS: readonly string[] = ['t', 'u', 'a/b', 'locked', 'moody'];
const NAMES: readonly string[] = ['p', 'q', 'tab'];
const ODD_TOPICS = ['', '/', 'a//b', 'quiet', 'holdfast/health', '__proto__', 'x'.repeat(200), 'x'.repeat(201), 'ä', 'a b', '%2F', '.'];
const ODD_NAMES = ['', 'constructor', 'x'.repeat(64), 'x'.repeat(65), 'ü', 'a/b', '-', '~'];
const ODD_NUMBERS = [-1, 0.5, 2 ** 31, 2 ** 53 - 1, 2 ** 53, 1e300, -0];
const STRINGS = ['', 'x', '😀', 'a\u0000b', '\u2028', '"', '\\', '__proto__', 'x'.repeat(300)];

export function topic(chance: Chance): Json {
  return chance.is(0.96) ? chance.pick(TOPICS) : odd(chance, chance.pick(ODD_TOPICS));
}

export function name(chance: Chance): Json {
  return chance.is(0.96) ? chance.pick(NAMES) : odd(chance, chance.pick(ODD_NAMES));
}

/** From 0 to `max`, mostly. */
export function count(chance: Chance, max = 9): Json {
  return chance.is(0.95) ? chance.below(max + 1) : odd(chance, chance.pick(ODD_NUMBERS));
}

export function id(chance: Chance): Json {
  return chance.is(0.95) ? 1 + chance.below(9) : odd(chance, chance.pick(['a', 'x'.repeat(64), 'x'.repeat(65), '', -5, 1.5, 2 ** 53]));
}

export function flag(chance: Chance): Json {
  return chance.is(0.97) ? chance.is(0.5) : odd(chance, 1);
}

/** A value of another type than was wanted. */
function odd(chance: Chance, otherwise: Json): Json {
  return chance.is(0.7) ? otherwise : value(chance, 1);
}

/** Any JSON. */
export function value(chance: Chance, depth = 3): Json {
  switch (chance.below(depth > 0 ? 8 : 5)) {
    case 0:
      return null;
    case 1:
      return chance.is(0.5);
    case 2:
      return chance.is(0.6) ? chance.below(100) : chance.pick(ODD_NUMBERS);
    case 3:
    case 4:
      return chance.pick(STRINGS);
    case 5:
      return Array.from({ length: chance.below(4) }, () => value(chance, depth - 1));
    default:
      return Object.fromEntries(
        Array.from({ length: chance.below(4) }, () => [chance.pick(['a', 'b', 'type', 'id', 'toString']), value(chance, depth - 1)]),
      );
  }
}

/** A text that is large or deep in a way that costs; rare, since each takes a while. */
export function heavyText(chance: Chance): string {
  switch (chance.below(5)) {
    case 0:
      return `{"type":"signal","topic":"t","data":${'['.repeat(30_000)}${']'.repeat(30_000)}}`;
    case 1:
      return `{"type":"call","id":1,"method":"echo","data":{${Array.from({ length: 20_000 }, (_, at) => `"k${at}":0`).join(',')}}}`;
    case 2:
      return `{"type":"publish","topic":"t","producer":"p","seq":1,"data":"${'\\u0041'.repeat(9_000)}"}`;
    case 3:
      return `{"type":"hello","client":"${'9'.repeat(60_000)}"}`;
    default:
      return `{"type":"signal","topic":"t","data":[${'1e5,'.repeat(15_000)}0]}`;
  }
}

/** The text of a message, written as somebody else might: with other spaces and escapes. */
export function written(message: Json, chance: Chance): string {
  const text = JSON.stringify(message);
  if (chance.is(0.93)) return text;
  return chance.pick([
    JSON.stringify(message, null, 2),
    ` ${text}\n`,
    text.replace(/[a-z]/, (letter) => `\\u00${letter.charCodeAt(0).toString(16)}`),
    text.replace('{', '{"__proto__":1,'),
    text.replace('{', '{"type":"ping",'),
    text.replace(/\d+/, '1e999'),
    text.replace(/"(?=[,}])/, '\\ud800"'),
  ]);
}
