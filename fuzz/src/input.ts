/**
 * What is handed to a target: a short list of steps, each a number and bytes. What a number means is the target's affair (a
 * frame of which client, a pause, a header). Every sequence of bytes decodes to an input, so that a mutation cannot break one.
 */

export interface Step {
  /** 0 to 255. */
  readonly op: number;
  readonly bytes: Uint8Array;
}

export type Input = readonly Step[];

/** Steps of one input, and bytes of one step, beyond which nothing is decoded. */
export const STEPS_MAX = 32;
const STEP_BYTES_MAX = 1_048_576;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A step of text. */
export function textStep(op: number, text: string): Step {
  return { op, bytes: encoder.encode(text) };
}

/** The text of a step; what is no UTF-8 in it is replaced, as it could not come in a text frame. */
export function textOf(step: Step): string {
  return decoder.decode(step.bytes);
}

/** Op, length in three bytes, bytes; again for each step. */
export function encodeInput(input: Input): Uint8Array {
  const encoded = new Uint8Array(input.reduce((sum, { bytes }) => sum + 4 + bytes.length, 0));
  let at = 0;
  for (const { op, bytes } of input) {
    encoded.set([op, bytes.length >> 16, (bytes.length >> 8) & 255, bytes.length & 255], at);
    encoded.set(bytes, at + 4);
    at += 4 + bytes.length;
  }
  return encoded;
}

/** Takes any bytes. A length that leads past the end is what is left. */
export function decodeInput(encoded: Uint8Array): Input {
  const steps: Step[] = [];
  for (let at = 0; at + 4 <= encoded.length && steps.length < STEPS_MAX;) {
    const length = Math.min((encoded[at + 1]! << 16) | (encoded[at + 2]! << 8) | encoded[at + 3]!, STEP_BYTES_MAX);
    steps.push({ op: encoded[at]!, bytes: new Uint8Array(encoded.subarray(at + 4, at + 4 + length)) });
    at += 4 + length;
  }
  return steps;
}

/** One input a line, in base64: how inputs are kept in files. Empty lines and lines that begin with `#` say nothing. */
export function inputsOf(text: string): Input[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => decodeInput(Buffer.from(line, 'base64')));
}

export function lineOf(input: Input): string {
  return Buffer.from(encodeInput(input)).toString('base64');
}

/** For people: each step with its number and what can be read of it. */
export function describeInput(input: Input): string {
  return input.map(({ op, bytes }) => `  ${op}: ${JSON.stringify(decoder.decode(bytes)).slice(0, 300)} (${bytes.length} bytes)`).join('\n');
}
