/** A durable entry with its frame, made once and shared by every subscriber (PROTOCOL.md HF-9.1). */

import { encodeEntryBinary, encodeEntryText } from '@holdfast/wire';
import type { Entry } from './store.ts';

export class FramedEntry {
  readonly entry: Entry;
  readonly #topic: string;
  readonly #number: number;
  #frame: string | Uint8Array | undefined;

  constructor(topic: string, number: number, entry: Entry) {
    this.entry = entry;
    this.#topic = topic;
    this.#number = number;
  }

  get frame(): string | Uint8Array {
    if (this.#frame !== undefined) return this.#frame;
    const { payload } = this.entry;
    return (this.#frame =
      typeof payload === 'string'
        ? encodeEntryText(this.#topic, this.entry, payload)
        : encodeEntryBinary(this.#number, this.entry, payload));
  }
}
