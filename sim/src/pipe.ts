/**
 * One direction of a connection: frames arrive in order, each after the time that its bytes and the distance take, until
 * the pipe is broken: then some of what was under way still arrives, the rest never does, and the sender's buffer only grows.
 */

import type { Chance } from './random.ts';
import type { Scheduled, Timeline } from './timeline.ts';

/** What a direction is like. */
export interface PipeQuality {
  readonly latencyMs: number;
  /** Added to the latency, uniform up to this. */
  readonly jitterMs: number;
  /** How fast the sender's buffer empties; `Infinity`: at once. */
  readonly bytesPerMs: number;
}

interface Flight {
  readonly bytes: number;
  /** When its last byte has left the sender's process. */
  readonly leftAtMs: number;
  readonly arrival: Scheduled;
}

/** Below this a socket does not say when it has drained, bytes: Node's high-water mark, at the scale of `queueBytesMax` here. */
const HIGH_WATER_BYTES = 256;

export class Pipe {
  readonly #timeline: Timeline;
  readonly #chance: Chance;
  readonly #flights: Flight[] = [];
  readonly #route: { readonly quality: PipeQuality };
  #isBroken = false;
  #bufferedBytes = 0;
  #needsDrain = false;
  #freeAtMs = 0;
  #arrivedAtMs = 0;
  /** What was buffered has left. */
  onDrain: () => void = () => {};

  /** `route`: its quality is looked up at every frame, so it may change at any time. */
  constructor(timeline: Timeline, chance: Chance, route: { readonly quality: PipeQuality }) {
    this.#timeline = timeline;
    this.#chance = chance;
    this.#route = route;
  }

  /** Bytes that have not left the sender's process. */
  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** `arrive` happens at the other end, after everything sent before; or never. */
  send(bytes: number, arrive: () => void): void {
    const { latencyMs, jitterMs, bytesPerMs } = this.#route.quality;
    const now = this.#timeline.nowMs;
    if (this.#isBroken) return void (this.#bufferedBytes += bytes);
    const leftAtMs = (this.#freeAtMs = Math.max(now, this.#freeAtMs) + bytes / bytesPerMs);
    if (leftAtMs > now) {
      this.#bufferedBytes += bytes;
      this.#needsDrain ||= this.#bufferedBytes >= HIGH_WATER_BYTES;
      this.#timeline.at(leftAtMs, () => this.#left(bytes));
    }
    this.#arrivedAtMs = Math.max(this.#arrivedAtMs, leftAtMs + latencyMs + this.#chance.between(0, jitterMs));
    const arrival = this.#timeline.at(this.#arrivedAtMs, () => {
      this.#flights.shift();
      arrive();
    });
    this.#flights.push({ bytes, leftAtMs, arrival });
  }

  /** Breaks it: of what has left the sender a beginning of any length still arrives, then `last`, if given. */
  break(last?: () => void): void {
    if (this.#isBroken) return;
    this.#isBroken = true;
    const leftCount = this.#flights.filter(({ leftAtMs }) => leftAtMs <= this.#timeline.nowMs).length;
    const kept = this.#chance.integer(0, leftCount);
    for (const { arrival } of this.#flights.splice(kept)) arrival.cancel();
    if (last === undefined) return;
    const lastAtMs = Math.max(this.#flights.at(-1)?.arrival.atMs ?? 0, this.#timeline.nowMs + this.#route.quality.latencyMs);
    this.#timeline.at(lastAtMs, last);
  }

  #left(bytes: number): void {
    if (this.#isBroken) return;
    this.#bufferedBytes -= bytes;
    if (this.#bufferedBytes > 0 || !this.#needsDrain) return;
    this.#needsDrain = false;
    this.onDrain();
  }
}
