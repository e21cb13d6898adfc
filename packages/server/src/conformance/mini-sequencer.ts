/**
 * A sequencer in miniature, so that a test reads like a script: it gives dense offsets, seqs and revisions, and hands
 * out one batch after the other. It decides nothing else and never talks to a store.
 */

import type { Batch, DecidedPublish, Outcome, Payload, Register } from '../store.ts';

/** Who publishes, and when. */
export interface Author {
  /** Default `ann`. */
  readonly subject?: string;
  /** Default `phone`. */
  readonly producer?: string;
  /** Wall clock, ms. Default: the number of the publish in this script. */
  readonly at?: number;
}

interface Draft {
  readonly found: { readonly topic: string; readonly epoch: string }[];
  readonly publishes: DecidedPublish[];
  readonly registers: ({ readonly topic: string } & Register)[];
}

export class MiniSequencer {
  #draft: Draft = { found: [], publishes: [], registers: [] };
  #publishCount = 0;
  readonly #lasts = new Map<string, number>();
  readonly #seqs = new Map<string, number>();
  readonly #revisions = new Map<string, number>();

  /** Begins a topic, or begins it anew after a removal. */
  found(topic: string, epoch: string = `epoch of ${topic}`): this {
    this.#draft.found.push({ topic, epoch });
    this.goOn(topic, 0, 0);
    for (const key of this.#seqs.keys()) if (key.startsWith(`${topic}\n`)) this.#seqs.delete(key);
    return this;
  }

  /** Goes on with a topic that a store has already. */
  goOn(topic: string, last: number, revision: number): this {
    this.#lasts.set(topic, last);
    this.#revisions.set(topic, revision);
    return this;
  }

  /** Goes on with a producer that a store knows already. */
  goOnProducer(topic: string, seq: number, author: Author = {}): this {
    this.#seqs.set(seqKey(topic, author), seq);
    return this;
  }

  /** One accepted publish; a list is stored together under one seq. */
  publish(topic: string, payload: Payload | readonly Payload[], author: Author = {}): this {
    const payloads = typeof payload === 'string' || payload instanceof Uint8Array ? [payload] : payload;
    const offset = (this.#lasts.get(topic) ?? 0) + 1;
    this.#lasts.set(topic, offset - 1 + payloads.length);
    return this.#decide(topic, { kind: 'accepted', offset, count: payloads.length }, payloads, author);
  }

  /** One refused publish: it spends its seq. */
  refuse(topic: string, code: string, message: string, author: Author = {}): this {
    return this.#decide(topic, { kind: 'refused', code, message }, [], author);
  }

  register(topic: string, key: string, value: string): this {
    const revision = (this.#revisions.get(topic) ?? 0) + 1;
    this.#revisions.set(topic, revision);
    this.#draft.registers.push({ topic, key, value, revision });
    return this;
  }

  /** The batch so far; the next call begins a new one. */
  take(): Batch {
    const batch = this.#draft;
    this.#draft = { found: [], publishes: [], registers: [] };
    return batch;
  }

  #decide(topic: string, outcome: Outcome, payloads: readonly Payload[], author: Author): this {
    this.#publishCount += 1;
    const { subject = 'ann', producer = 'phone', at = this.#publishCount } = author;
    const key = seqKey(topic, author);
    const seq = (this.#seqs.get(key) ?? 0) + 1;
    this.#seqs.set(key, seq);
    this.#draft.publishes.push({ topic, subject, producer, seq, digest: `digest ${producer} ${seq}`, at, outcome, payloads });
    return this;
  }
}

function seqKey(topic: string, { subject = 'ann', producer = 'phone' }: Author): string {
  return `${topic}\n${subject}\n${producer}`;
}

/** Page bounds that nothing in these tests reaches. */
export const WIDE: { readonly countMax: number; readonly bytesMax: number } = { countMax: 100_000, bytesMax: 1_000_000_000 };
