/**
 * What goes wrong, and when: cuts of the clients' links and deaths of the server, each at its share of the play, so that the
 * same seed gives the same weather however fast the machine is.
 */

import { between, pick } from './chance.ts';
import { CUT_PLACES, type CutPlace, type Links } from './link.ts';
import type { Served } from './served.ts';

export interface WeatherOptions {
  readonly random: () => number;
  readonly links: Links;
  readonly served: Served;
  readonly cutCount: number;
  readonly killCount: number;
  readonly isBusy: (nick: string) => boolean;
}

/** The server is away for a random time up to this, ms. */
const AWAY_MAX_MS = 1_000;
/** While there are links to cut. */
const LAST_CUT_AT = 0.98;

export class Weather {
  /** Where the cuts fell. */
  readonly cuts: Record<CutPlace, number> = { between: 0, sending: 0, receiving: 0 };
  readonly #options: WeatherOptions;
  readonly #cutsAt: number[];
  readonly #killsAt: number[];
  #killCount = 0;
  #storm: Promise<void> | undefined;

  constructor(options: WeatherOptions) {
    this.#options = options;
    const { random, cutCount, killCount } = options;
    this.#cutsAt = Array.from({ length: cutCount }, () => random() * LAST_CUT_AT).sort((a, b) => a - b);
    // One in the middle of each part of the play, so that none comes before its beginning or after its end.
    this.#killsAt = Array.from({ length: killCount }, (_, index) => (index + 0.25 + random() / 2) / killCount);
  }

  get killCount(): number {
    return this.#killCount;
  }

  get cutCount(): number {
    return this.cuts.between + this.cuts.sending + this.cuts.receiving;
  }

  /** Carries out what is due when this share of the play is over (0 to 1). Rejects if the server does not come back. */
  async pass(share: number): Promise<void> {
    const { random, links, served, isBusy } = this.#options;
    while (this.#cutsAt.length > 0 && this.#cutsAt[0]! <= share && served.isUp) {
      const isCut = links.cutOne(isBusy, pick(random, CUT_PLACES), (place) => (this.cuts[place] += 1));
      if (!isCut) break;
      this.#cutsAt.shift();
    }
    if (this.#killsAt.length === 0 || this.#killsAt[0]! > share || !served.isUp || this.#storm !== undefined) return this.#storm;
    this.#killsAt.shift();
    this.#storm = this.#kill().finally(() => (this.#storm = undefined));
    return this.#storm;
  }

  async #kill(): Promise<void> {
    const { random, served } = this.#options;
    await served.kill();
    this.#killCount += 1;
    const awayMs = between(random, 0, AWAY_MAX_MS);
    await new Promise((resolve) => setTimeout(resolve, awayMs));
    await served.start();
  }
}
