/** Makes a failure small: fewer inputs, then fewer steps, then fewer bytes, as long as it still fails in the same way. */

import type { Input, Step } from './input.ts';

/** Says what a list of inputs violates, or `undefined`. */
export type Judge = (inputs: readonly Input[]) => Promise<string | undefined>;

export interface ShrinkOptions {
  readonly judge: Judge;
  /** How often the judge is asked at the most. */
  readonly trialsMax: number;
  /** The failure as it was found. */
  readonly message: string;
}

/** The smallest that was found; `undefined` if the inputs do not fail again. */
export async function shrink(
  inputs: readonly Input[],
  { judge, trialsMax, message }: ShrinkOptions,
): Promise<readonly Input[] | undefined> {
  let trials = 0;
  const wanted = kindOf(message);
  const fails = async (candidate: readonly Input[]): Promise<boolean> => {
    if (trials >= trialsMax) return false;
    trials += 1;
    const said = await judge(candidate);
    return said !== undefined && kindOf(said) === wanted;
  };
  const last = inputs.slice(-1);
  let small = inputs.length > 1 && (await fails(last)) ? last : inputs;
  if (small === inputs && !(await fails(inputs))) return undefined;
  small = await fewer(small, fails);
  for (let at = 0; at < small.length; at++) {
    const around = (input: Input): Input[] => [...small.slice(0, at), input, ...small.slice(at + 1)];
    let input: Input = await fewer<Step>(small[at]!, (steps) => fails(around(steps)));
    for (let place = 0; place < input.length; place++) {
      const step = input[place]!;
      const withBytes = (bytes: readonly number[]): Input =>
        input.map((one, other) => (other === place ? { op: one.op, bytes: Uint8Array.from(bytes) } : one));
      const bytes = await fewer([...step.bytes], (candidate) => fails(around(withBytes(candidate))));
      input = withBytes(bytes);
    }
    small = around(input);
  }
  return small;
}

/** Drops ever smaller pieces of a list (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002). */
async function fewer<Item>(items: readonly Item[], fails: (items: readonly Item[]) => Promise<boolean>): Promise<readonly Item[]> {
  let left = items;
  for (let size = Math.ceil(left.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < left.length;) {
      const without = [...left.slice(0, at), ...left.slice(at + size)];
      if (await fails(without)) left = without;
      else at += size;
    }
  }
  return left;
}

/** The same failure has the same first line, whatever numbers and quotations are in it. */
function kindOf(message: string): string {
  return message
    .split('\n')
    .slice(0, 1)
    .join('')
    .replace(/"[^"]*"|\d+/g, '#')
    .slice(0, 60);
}
