/**
 * A memory store whose calls can be delayed, refused, and reported as failed although they were carried out: what disks do.
 * Whatever is not scripted goes through at once.
 */

import { HoldfastError } from '@holdfast/wire';
import { createMemoryStore, type MemoryDisk } from './store-memory.ts';
import type { Batch, Head, Page, PageLimits, ProducerMemory, Range, Register, Retention, TopicStore } from './store.ts';

type Method = 'apply' | 'head' | 'read' | 'outcomes' | 'registers' | 'trim' | 'remove' | 'topics' | 'expireProducers';

/** Where a call waits: before it is carried out, or before its end is reported. */
type Point = 'before' | 'after';

interface Script {
  readonly point: Point;
  readonly passed: Promise<void>;
}

/** One held call. */
export interface Gate {
  pass(): void;
  fail(error?: Error): void;
}

export class ScriptedStore implements TopicStore {
  readonly durability = 'memory';
  readonly outcomesMax: number;
  /** Every call that was made, in order. */
  readonly calls: Method[] = [];
  /** Every batch that was handed in, in order. */
  readonly batches: Batch[] = [];
  /** Where each trimmed log began afterwards, in order. */
  readonly trimmed: Head[] = [];
  readonly #inner: TopicStore;
  readonly #scripts = new Map<Method, Script[]>();
  #down: Error | undefined;

  constructor(options: { readonly disk?: MemoryDisk; readonly outcomesMax?: number } = {}) {
    this.#inner = createMemoryStore(options);
    this.outcomesMax = this.#inner.outcomesMax;
  }

  /** The next call of `method` that has no script yet waits at `point` until its gate is passed or failed. */
  hold(method: Method, point: Point = 'before'): Gate {
    let pass!: () => void;
    let fail!: (error: Error) => void;
    const passed = new Promise<void>((resolve, reject) => {
      pass = resolve;
      fail = reject;
    });
    passed.catch(() => undefined);
    this.#script(method, { point, passed });
    return { pass, fail: (error = unavailable()) => fail(error) };
  }

  /** The next call of `method` rejects; `after`: although it was carried out. */
  fail(method: Method, point: Point = 'before', error: Error = unavailable()): void {
    this.hold(method, point).fail(error);
  }

  /** Everything rejects until `up`. */
  down(error: Error = unavailable()): void {
    this.#down = error;
  }

  up(): void {
    this.#down = undefined;
  }

  countOf(method: Method): number {
    return this.calls.filter((call) => call === method).length;
  }

  apply(batch: Batch): Promise<void> {
    this.batches.push(batch);
    return this.#carryOut('apply', () => this.#inner.apply(batch));
  }

  head(topic: string): Promise<Head | undefined> {
    return this.#carryOut('head', () => this.#inner.head(topic));
  }

  read(topic: string, range: Range, limits: PageLimits): Promise<Page | undefined> {
    return this.#carryOut('read', () => this.#inner.read(topic, range, limits));
  }

  outcomes(topic: string, subject: string, producer: string): Promise<ProducerMemory | undefined> {
    return this.#carryOut('outcomes', () => this.#inner.outcomes(topic, subject, producer));
  }

  registers(topic: string, afterRevision: number): Promise<readonly Register[]> {
    return this.#carryOut('registers', () => this.#inner.registers(topic, afterRevision));
  }

  topics(after: string | undefined, countMax: number): Promise<readonly ({ readonly topic: string } & Head)[]> {
    return this.#carryOut('topics', () => this.#inner.topics(after, countMax));
  }

  trim(topic: string, keep: Retention): Promise<Head | undefined> {
    return this.#carryOut('trim', async () => {
      const head = await this.#inner.trim(topic, keep);
      if (head !== undefined) this.trimmed.push(head);
      return head;
    });
  }

  remove(topic: string): Promise<void> {
    return this.#carryOut('remove', () => this.#inner.remove(topic));
  }

  expireProducers(at: number): Promise<number> {
    return this.#carryOut('expireProducers', () => this.#inner.expireProducers(at));
  }

  backup(path: string): Promise<void> {
    return this.#inner.backup(path);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  #script(method: Method, script: Script): void {
    const scripts = this.#scripts.get(method) ?? [];
    scripts.push(script);
    this.#scripts.set(method, scripts);
  }

  async #carryOut<Result>(method: Method, task: () => Promise<Result>): Promise<Result> {
    this.calls.push(method);
    const script = this.#scripts.get(method)?.shift();
    if (script?.point === 'before') await script.passed;
    if (this.#down !== undefined) throw this.#down;
    const result = await task();
    if (script?.point === 'after') await script.passed;
    return result;
  }
}

function unavailable(): HoldfastError {
  return new HoldfastError('STORE_UNAVAILABLE', 'scripted');
}
