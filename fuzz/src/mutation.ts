/** How one input is made from others: steps are dropped, doubled, swapped, spliced; their bytes flipped, cut, doubled, overwritten. */

import type { Chance } from './chance.ts';
import { STEPS_MAX, type Input, type Step } from './input.ts';

/** A mutated text or frame beyond this is cut, bytes: what is huge is the generators' affair. */
const GROWN_BYTES_MAX = 65_536;

/** What hurts parsers, in whatever language a step is written. */
const TOKENS: readonly string[] = [
  '__proto__',
  'constructor',
  'toString',
  '"__proto__":{"a":1},',
  '\\u005f_proto__',
  '\\ud800',
  '\\u0000',
  '\ufeff',
  '\u2028',
  '😀',
  '-1',
  '0',
  '1e999',
  '-0',
  '1e-7',
  '9007199254740991',
  '9007199254740993',
  '1.5',
  '4294967296',
  '1e21',
  '00',
  'null',
  'true',
  '[]',
  '{}',
  '""',
  '[[[[[[[[[[',
  '{"a":{"a":{"a":{"a":',
  ',',
  '}',
  ']',
  '"',
  '\\',
  '\r\n',
  '%00',
  '%2F',
  '..',
  '\0',
  '"type":"hello"',
  '"id":1',
  '"topic":"t"',
  '"data":null',
  '"bytes":"AA=="',
  '"seq":1',
  '"position":{"epoch":"x","offset":1}',
];
const NUMBERS = ['0', '-1', '1', '1e999', '9007199254740991', '9007199254740992', '0.5', '-0', '1e400', '2147483648', '4294967295'];
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A neighbour of `input`; `other` lends what is spliced in, `fresh` makes a new step. */
export function mutate(input: Input, other: Input, fresh: (chance: Chance) => Step, chance: Chance): Input {
  const steps = [...input];
  const times = 1 + chance.below(3);
  for (let time = 0; time < times; time++) mutateSteps(steps, other, fresh, chance);
  return steps.slice(0, STEPS_MAX);
}

function mutateSteps(steps: Step[], other: Input, fresh: (chance: Chance) => Step, chance: Chance): void {
  const at = chance.below(steps.length);
  const here = steps[at];
  if (here === undefined) return void steps.push(fresh(chance));
  switch (chance.below(12)) {
    case 0:
      return void steps.splice(at, 1);
    case 1:
      return void steps.splice(at, 0, here);
    case 2:
      return void steps.splice(chance.below(steps.length + 1), 0, fresh(chance));
    case 3:
      return void steps.push(...other.slice(chance.below(other.length)));
    case 4:
      return void steps.splice(at, 1, ...(other.length === 0 ? [] : [chance.pick(other)]));
    case 5: {
      const to = chance.below(steps.length);
      steps[at] = steps[to]!;
      steps[to] = here;
      return;
    }
    case 6:
      steps[at] = { op: chance.below(256), bytes: here.bytes };
      return;
    default:
      steps[at] = { op: here.op, bytes: mutateBytes(here.bytes, other[chance.below(other.length)]?.bytes, chance) };
  }
}

/** Bytes near `bytes`, with a piece of `other` at times. */
function mutateBytes(bytes: Uint8Array, other: Uint8Array | undefined, chance: Chance): Uint8Array {
  const at = chance.below(bytes.length + 1);
  const length = chance.is(0.7) ? 1 + chance.below(8) : 1 + chance.below(bytes.length + 1);
  switch (chance.below(11)) {
    case 0: {
      const flipped = bytes.slice();
      if (at < flipped.length) flipped[at] = flipped[at]! ^ (1 << chance.below(8));
      return flipped;
    }
    case 1: {
      const changed = bytes.slice();
      if (at < changed.length) changed[at] = chance.pick([0, 1, 127, 128, 129, 192, 224, 240, 255, 34, 92, chance.below(256)]);
      return changed;
    }
    case 2:
      return bytes.slice(0, at);
    case 3:
      return joined(bytes.subarray(0, at), bytes.subarray(at + length));
    case 4:
      return joined(bytes.subarray(0, at), bytes.subarray(at, at + length), bytes.subarray(at));
    case 5:
      return joined(bytes.subarray(0, at), chance.bytes(1 + chance.below(6)), bytes.subarray(at));
    case 6:
      return joined(bytes.subarray(0, at), (other ?? bytes).subarray(chance.below((other ?? bytes).length)), bytes.subarray(at + length));
    case 7:
      return joined(bytes.subarray(0, at), encoder.encode(chance.pick(TOKENS)), bytes.subarray(at + (chance.is(0.5) ? length : 0)));
    default:
      return mutateText(bytes, chance);
  }
}

/** A number, a string or a value of a text becomes another one; the text stays what it is otherwise. */
function mutateText(bytes: Uint8Array, chance: Chance): Uint8Array {
  const text = decoder.decode(bytes);
  const pattern = chance.pick([/-?\d+/g, /"(?:[^"\\]|\\.)*"/g, /[A-Za-z0-9_./-]+/g]);
  const found = [...text.slice(0, 20_000).matchAll(pattern)];
  const one = found[chance.below(found.length)];
  if (one === undefined) return joined(bytes, encoder.encode(chance.pick(TOKENS)));
  const word = one[0];
  const another = found[chance.below(found.length)]![0];
  const changed = chance.pick([chance.pick(NUMBERS), another, chance.pick(TOKENS), `"${word}"`, `[${word}]`, word + word, '']);
  return joined(encoder.encode(text.slice(0, one.index) + changed + text.slice(one.index + word.length)));
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(
    Math.min(
      GROWN_BYTES_MAX,
      parts.reduce((sum, { length }) => sum + length, 0),
    ),
  );
  let at = 0;
  for (const part of parts) {
    whole.set(part.subarray(0, whole.length - at), at);
    at = Math.min(whole.length, at + part.length);
  }
  return whole;
}
