/** The randomness port and what the client draws from it: jitter and names that nobody else has. */

/** Uniform in [0, 1). */
export type Random = () => number;

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** From `crypto.getRandomValues` where the platform has it, else `Math.random`. */
export const systemRandom: Random = () => {
  const { crypto } = globalThis as { crypto?: { getRandomValues?(values: Uint32Array): Uint32Array } };
  if (typeof crypto?.getRandomValues !== 'function') return Math.random();
  return crypto.getRandomValues(new Uint32Array(1))[0]! / 2 ** 32;
};

/** A name of `length` letters and digits (HF-1.2), 5.95 bits each. */
export function randomName(random: Random, length: number): string {
  let text = '';
  for (let at = 0; at < length; at++) text += LETTERS[Math.floor(random() * LETTERS.length)]!;
  return text;
}
