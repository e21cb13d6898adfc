/** A durable entry with its frame, made once and shared by every subscriber (PROTOCOL.md HF-9.1). */

import { encodeEntryBinary, encodeEntryText } from '@holdfast/wire';
import { SharedFrame } from './shared-frame.ts';
import type { Entry } from './store.ts';

export class FramedEntry {
  readonly entry: Entry;
  readonly #topic: string;
  readonly #number: number;
  #frame: SharedFrame | undefined;

  constructor(topic: string, number: number, entry: Entry) {
    this.entry = entry;
    this.#topic = topic;
    this.#number = number;
  }

  get frame(): SharedFrame {
    return (this.#frame ??= new SharedFrame(this.#encode()));
  }

  #encode(): string | Uint8Array {
    const { payload } = this.entry;
    if (typeof payload === 'string') return encodeEntryText(this.#topic, this.entry, payload);
    return encodeEntryBinary(this.#number, this.entry, payload);
  }
}
