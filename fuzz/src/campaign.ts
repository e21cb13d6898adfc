/**
 * A campaign against one target, in this process: inputs are made, taken by one world after the other, and kept where they reached
 * something new. It ends at the first failure. Hangs and crashes are seen by who watches this process (`watch.ts`).
 */

import type { AlarmBell } from './alarm-bell.ts';
import type { Blocks } from './blocks.ts';
import { Chance } from './chance.ts';
import { Corpus } from './corpus.ts';
import type { Input } from './input.ts';
import { mutate } from './mutation.ts';
import type { Target, World } from './target.ts';
import { turn } from './virtual-clock.ts';

export interface CampaignOptions {
  readonly target: Target;
  readonly seed: number;
  readonly inputCount: number;
  /** After this time no batch begins, ms. */
  readonly durationMs: number;
  /** Whether what reached new blocks is mutated further. */
  readonly isGuided: boolean;
  /** Inputs that come first. */
  readonly corpus: readonly Input[];
  readonly bell: AlarmBell;
  /** Where there are no counters nothing is kept. */
  readonly blocks?: Blocks | undefined;
  /** Is told each input before it is taken; `undefined`: a new world begins. */
  readonly onInput?: (input: Input | undefined) => void;
}

export interface Outcome {
  readonly inputCount: number;
  readonly durationMs: number;
  readonly kept: readonly Input[];
  /** How much larger the heap is than after the warm-up, without what the corpus grew by; bytes. `undefined`: not measured. */
  readonly heapGrowthBytes: number | undefined;
  /** What was violated, and the inputs of the world in which it was. */
  readonly failure?: { readonly message: string; readonly inputs: readonly Input[] };
}

/** Inputs after which the world is checked. */
const BATCH_COUNT = 64;
/** What the heap may grow by from the warm-up to the end, bytes. The warm-up: a tenth of the inputs, within these bounds. */
const HEAP_GROWTH_BYTES_MAX = 16_777_216;
const WARM_UP_MIN = 500;
const WARM_UP_MAX = 20_000;

export async function runCampaign(options: CampaignOptions): Promise<Outcome> {
  const campaign = new Campaign(options);
  return campaign.run();
}

class Campaign {
  readonly #options: CampaignOptions;
  readonly #chance: Chance;
  readonly #corpus = new Corpus();
  #world: World | undefined;
  #inputs: Input[] = [];
  #count = 0;
  /** The heap after the warm-up, without the corpus. */
  #baseBytes: number | undefined;

  constructor(options: CampaignOptions) {
    this.#options = options;
    this.#chance = new Chance(options.seed, options.target.name);
  }

  async run(): Promise<Outcome> {
    const { inputCount, durationMs } = this.#options;
    const warmUp = Math.min(WARM_UP_MAX, Math.max(WARM_UP_MIN, inputCount / 10));
    const beganAtMs = performance.now();
    const elapsedMs = (): number => performance.now() - beganAtMs;
    let failure: Outcome['failure'];
    let growth: number | undefined;
    try {
      while (this.#count < inputCount && elapsedMs() < durationMs) {
        await this.#batch(Math.min(BATCH_COUNT, inputCount - this.#count));
        if (this.#baseBytes === undefined && this.#count >= warmUp) this.#baseBytes = await this.#measure();
      }
      const heapBytes = await this.#measure();
      growth = this.#baseBytes === undefined || heapBytes === undefined ? undefined : heapBytes - this.#baseBytes;
      if (growth !== undefined && growth > HEAP_GROWTH_BYTES_MAX)
        failure = { message: `the heap has grown by ${growth} bytes over ${this.#count} inputs`, inputs: [] };
    } catch (error) {
      failure = { message: messageOf(error), inputs: this.#inputs };
    }
    return {
      inputCount: this.#count,
      durationMs: elapsedMs(),
      kept: this.#corpus.inputs,
      heapGrowthBytes: growth,
      ...(failure === undefined ? {} : { failure }),
    };
  }

  async #batch(count: number): Promise<void> {
    const { target, blocks, isGuided, bell, onInput } = this.#options;
    if (this.#inputs.length >= target.worldInputs) await this.#close();
    if (this.#world === undefined) {
      onInput?.(undefined);
      this.#world = await target.open();
    }
    blocks?.take();
    for (let at = 0; at < count; at++) {
      const input = this.#next();
      this.#count += 1;
      this.#inputs.push(input);
      onInput?.(input);
      await this.#world.take(input);
      if (blocks !== undefined && blocks.take() > 0 && isGuided) this.#corpus.add(input);
      bell.assertSilent();
    }
    await this.#world.check();
    // Rejections that nobody handled are told at the end of a turn.
    await turn();
    bell.assertSilent();
  }

  #next(): Input {
    const { target, corpus, isGuided } = this.#options;
    const chance = this.#chance;
    const first = corpus[this.#count];
    if (first !== undefined) return first;
    const base = isGuided && chance.is(0.6) ? this.#corpus.pick(chance) : undefined;
    if (base === undefined && chance.is(0.6)) return target.generate(chance);
    const other = isGuided ? this.#corpus.pick(chance) : undefined;
    return mutate(base ?? target.generate(chance), other ?? target.generate(chance), (from) => target.step(from), chance);
  }

  async #close(): Promise<void> {
    const world = this.#world;
    this.#world = undefined;
    await world?.close();
    await turn();
    this.#options.bell.assertSilent();
    this.#inputs = [];
  }

  /** The heap between two worlds, without the corpus. */
  async #measure(): Promise<number | undefined> {
    await this.#close();
    const { gc } = globalThis as { gc?: () => void };
    if (gc === undefined) return undefined;
    for (let round = 0; round < 3; round++) {
      gc();
      await turn();
    }
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers - this.#corpus.bytes;
  }
}

/** Runs inputs in one world. Resolves with what was violated, or `undefined`. */
export async function judge(
  target: Target,
  inputs: readonly Input[],
  bell: AlarmBell,
  onInput?: (input: Input) => void,
): Promise<string | undefined> {
  try {
    const world = await target.open();
    for (const input of inputs) {
      onInput?.(input);
      await world.take(input);
      bell.assertSilent();
    }
    await world.check();
    await world.close();
    await turn();
    bell.assertSilent();
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.name === 'Violation' ? error.message : (error.stack ?? error.message);
}
