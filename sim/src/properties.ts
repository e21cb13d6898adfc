/** What must hold in every run, whatever happens: a name for each promise, with the clause that makes it. */

/** Names of properties, and what each says. Clauses are those of PROTOCOL.md, decisions those of its HF-15. */
export const PROPERTIES = {
  'acknowledged-when-durable': 'HF-6.7, decision 9: when a server says `ack`, the payloads are durable at that offset of that epoch',
  'told-when-durable': 'HF-5.4, decision 9: an entry is sent only when it is durable, under the number and epoch that it has there',
  'acknowledged-at-its-offset': 'HF-6.7: what a publish resolves with is where its payloads are in the log',
  'acknowledged-stays': 'HF-5.4, HF-6.7: at the end the disk holds every entry that was ever stored and not cut, unchanged, at its offset',
  'nothing-twice': 'HF-6.5, decisions 1 to 3: no payload is in a log twice, nor in two epochs of it if its sender knew the first (HF-6.8)',
  'nothing-invented': 'HF-5.4, HF-6.11, decision 4: every entry was published, to this topic, by the subject that it names',
  'offsets-dense':
    'HF-1, HF-6.2, HF-6.14, decisions 1 and 8: offsets, revisions and seqs are dense; no batch that is not reaches the store',
  'publish-together': 'HF-6.1: an atomic publish is stored whole, at consecutive offsets, in its order',
  'publish-order':
    "HF-6.6, decision 7: within an epoch, one device's entries are in the order of its publishes (where nobody has copied its outbox, HF-6.12)",
  'durable-before-sent': 'HF-6.12, decision 3: nothing is stored that was not durable in its outbox before',
  'same-answer':
    'HF-6.4, HF-6.5, decisions 1 and 2: whatever is said of a publish for good, an `ack` or a terminal refusal, is said again to every resend of it',
  'refused-is-not-stored': 'HF-6.4, HF-6.13, decision 6: what was refused, aborted or expired is not in any log, before or after',
  'refusals-legal':
    'HF-6.4, HF-6.10, HF-6.13, decision 5: a publish is refused for a reason that exists; uncertain only if the epoch changed or the producer was forgotten',
  'consumer-order':
    'HF-5.3, HF-5.8, decisions 10 and 12: a consumer sees each entry after its position exactly once, in order, as it is in the log; hidden ones never',
  'hidden-stays-hidden': 'HF-5.6, decision 12: no entry is sent to a viewer who may not see it',
  'gaps-legal': 'HF-5.7, decision 11: a gap comes only where history was cut, the epoch changed or the right begins, and says how far',
  'position-is-processed': "HF-5.9, decision 14: a consumer's position is what it processed last, and nothing else moves it",
  'registers-rise':
    'HF-7.7, HF-7.8, decision 13: a consumer sees revisions only rise, and the values that were written under them; what a write is told stands',
  'signals-in-place':
    'HF-7.4: a signal arrives once, after those sent before it, and never before entries that its sender knew to be stored',
  'reads-true':
    'HF-7.3: a page that was read holds nothing but what the log holds, ascending, on the right side, at most as much as was asked for',
  'members-agree': 'HF-7.6, decision 18: when faults stop and the grace time is over, whoever watches sees exactly those who are there',
  'rights-kept':
    'HF-5.10, HF-7.6, decision 15: once a server was told that a right is taken, ends or begins later, it sends no entry, register, signal or member against it',
  'one-connection': 'HF-3.5, decision 16: after a `welcome` nothing is said on an older connection of the same subject and client',
  'goaway-still-accepts':
    'HF-8.3, decision 19: what arrives before the drain is over is not refused with `GOING_AWAY`, and is answered before the connection is closed',
  'calls-once': 'HF-7.9, decision 9: a call is carried out at most once',
  'credit-kept': 'HF-7.1, decision 17: a server sends no entry beyond the credit',
  'queues-bounded': 'HF-7.2: a server buffers no more than `queueBytesMax` and a frame for a connection',
  'all-settled':
    'promise 4, HF-6.13, decision 6: when faults stop, every publish settles, every outbox empties, every promise and iteration ends with its client',
  'all-arrived': 'decision 10, HF-5.5: when faults stop, every consumer reaches the head',
  'folds-agree':
    'HF-5.3, decision 20: what a consumer has made of the entries that it saw, begun anew from whatever checkpoint, is what the log makes',
  'nothing-left-behind': 'promise 4: no timer outlives the client or hub that set it',
  'no-error-escapes': 'promise 4: nothing rejects unheard, throws out of a callback or breaks an assertion',
} as const;

export type Property = keyof typeof PROPERTIES;

export interface Violation {
  readonly property: Property;
  readonly detail: string;
  /** Virtual time, ms. */
  readonly atMs: number;
}

/** Keeps the first violation of a run; what comes after it may be its consequence. */
export class Verdict {
  readonly #nowMs: () => number;
  #violation: Violation | undefined;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  get violation(): Violation | undefined {
    return this.#violation;
  }

  violated(property: Property, detail: string): void {
    this.#violation ??= { property, detail, atMs: this.#nowMs() };
  }

  /** Notes a violation unless `holds`. */
  expect(holds: boolean, property: Property, detail: () => string): void {
    if (!holds) this.violated(property, detail());
  }
}
