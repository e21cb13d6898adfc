/**
 * Faults to plant (plant.ts): each breaks one decision in the product's own source, and names the properties of which one
 * must be found violated. They are texts, so that the product holds no switch for them; one whose text is no longer
 * there fails loudly.
 */

import type { Property } from './properties.ts';

export interface Fault {
  readonly name: string;
  /** What is done wrong. */
  readonly does: string;
  /** The decision or clause that it breaks. */
  readonly breaks: string;
  /** From the repository's root. */
  readonly file: string;
  /** Must be in the file exactly once. */
  readonly find: string;
  readonly replace: string;
  /** What may be found first; which of them depends on the seed. */
  readonly properties: readonly Property[];
}

const SEQUENCER = 'packages/server/src/sequencer.ts';
const TOPIC_LOG = 'packages/server/src/topic-log.ts';
const CURSOR = 'packages/server/src/cursor.ts';
const SERVER_SUBSCRIPTION = 'packages/server/src/subscription.ts';
const PIPELINE = 'packages/client/src/pipeline.ts';
const READER = 'packages/client/src/reader.ts';
const CLIENT_SUBSCRIPTION = 'packages/client/src/subscription.ts';

export const FAULTS: readonly Fault[] = [
  {
    name: 'acknowledge-before-commit',
    does: 'the server answers a publish when it is decided',
    breaks: 'decision 9, HF-6.7',
    file: SEQUENCER,
    find: '    batch.whenSettled(answer);\n    this.#schedule();',
    replace: '    answer(undefined);\n    this.#schedule();',
    properties: ['acknowledged-when-durable', 'registers-rise'],
  },
  {
    name: 'outcomes-forgotten',
    does: 'a restarted server knows the last seq of a producer, not what became of the last W',
    breaks: 'decision 2, HF-6.5',
    file: TOPIC_LOG,
    find: 'const recent = memory?.recent.map((outcome) => ({ ...outcome, batch: undefined })) ?? [];',
    replace: 'const recent: Recent[] = [];',
    properties: ['refusals-legal', 'all-settled'],
  },
  {
    name: 'live-one-turn-late',
    does: 'a cursor that has reached the head takes commits one turn of the event loop later',
    breaks: 'decision 10, HF-5.5',
    file: CURSOR,
    find: '    // In the same turn as the comparison with the head: the commit that comes next finds this cursor live.\n',
    replace: '    await new Promise<void>((resolve) => this.#services.clock.defer(resolve));\n',
    properties: ['all-arrived'],
  },
  {
    name: 'retry-overtakes',
    does: 'publishes that are given back their turn go to the end of the queue',
    breaks: 'decisions 1 and 7, HF-6.6',
    file: PIPELINE,
    find: '[...rows, ...this.#queue]',
    replace: '[...this.#queue, ...rows]',
    properties: ['publish-order'],
  },
  {
    name: 'position-moved-by-acknowledgement',
    does: 'the acknowledgement of an own publish counts as having read up to it',
    breaks: 'decision 14, HF-5.9',
    file: CLIENT_SUBSCRIPTION,
    find: '  acked(offset: number): void {\n',
    replace:
      '  acked(offset: number): void {\n    for (const reader of this.#readers) if (offset > (reader.received?.offset ?? offset)) reader.place({ ...reader.received!, offset });\n',
    properties: ['position-is-processed', 'consumer-order'],
  },
  {
    name: 'failed-commit-kept',
    does: 'what was decided for a batch that failed stays in memory',
    breaks: 'decision 8, HF-6.14',
    file: SEQUENCER,
    find: '    for (const log of logs) this.#logs.reload(log);\n',
    replace: '',
    properties: ['offsets-dense', 'acknowledged-when-durable'],
  },
  {
    name: 'sent-before-durable',
    does: 'a publish is sent before its row is in the outbox',
    breaks: 'decision 3, HF-6.12',
    file: PIPELINE,
    find: 'if (!row.isDurable || ',
    replace: 'if (',
    properties: ['durable-before-sent'],
  },
  {
    name: 'uncertain-sent-again',
    does: 'what may have been stored under a lost producer is sent again under the next',
    breaks: 'decision 5, HF-6.10',
    file: PIPELINE,
    find: `    for (const row of rows) if (row.doubts > 0) this.#host.uncertain(row);
    this.#requeue(rows.filter(({ doubts }) => doubts === 0));`,
    replace: '    this.#requeue(rows);',
    properties: ['nothing-twice', 'publish-order', 'refused-is-not-stored'],
  },
  {
    name: 'page-beyond-the-head',
    does: 'a cursor hands over what the store has and the sequencer has not announced',
    breaks: 'decision 9, HF-5.4',
    file: CURSOR,
    find: 'const entries = page.entries.filter((entry) => entry.offset <= log.committed);',
    replace: 'const { entries } = page;',
    properties: ['gaps-legal'],
  },
  {
    name: 'gap-swallowed',
    does: 'a consumer is not told that history was cut',
    breaks: 'decision 11, HF-5.7',
    file: READER,
    find: 'if (isSilent) return this.#move(after);',
    replace: 'if (isSilent || before.epoch !== "") return this.#move(after);',
    properties: ['position-is-processed', 'consumer-order'],
  },
  {
    name: 'credit-ignored',
    does: 'a cursor sends whatever it has',
    breaks: 'decision 17, HF-7.1',
    file: CURSOR,
    find: 'if (offset > this.#creditUpTo || ',
    replace: 'if (',
    properties: ['credit-kept'],
  },
  {
    name: 'signal-overtakes',
    does: 'a signal does not wait for a cursor that is behind',
    breaks: 'HF-7.4',
    file: SERVER_SUBSCRIPTION,
    find: 'held.size === 0 || !this.cursor.isLive) return;',
    replace: 'held.size === 0) return;',
    properties: ['signals-in-place'],
  },
  {
    name: 'silence-by-a-clock-set-back',
    does: 'a client counts the silence from a moment that its clock, set back, has yet to reach',
    breaks: 'HF-8.2',
    file: 'packages/client/src/connection-driver.ts',
    find: 'Math.min(this.#heardAtMs, nowMs)',
    replace: 'this.#heardAtMs',
    properties: ['all-settled', 'all-arrived', 'members-agree'],
  },
];
