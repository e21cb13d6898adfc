/**
 * Faults to plant (plant.ts): each breaks one decision in the product's own source, and names the properties of which one
 * must be found violated. They are texts, so that the product holds no switch for them; one whose text is no longer
 * there fails loudly.
 */

import type { Property } from './properties.ts';
import type { Selection } from './selection.ts';

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
  /** Which calamities it needs, where they are seldom. Default: as drawn. */
  readonly selection?: Selection;
}

const SEQUENCER = 'packages/server/src/sequencer.ts';
const TOPIC_LOG = 'packages/server/src/topic-log.ts';
const CURSOR = 'packages/server/src/cursor.ts';
const SERVER_SUBSCRIPTION = 'packages/server/src/subscription.ts';
const PIPELINE = 'packages/client/src/pipeline.ts';
const READER = 'packages/client/src/reader.ts';
const CLIENT_SUBSCRIPTION = 'packages/client/src/subscription.ts';
const HUB = 'packages/server/src/hub.ts';
const PUBLISHER = 'packages/client/src/publisher.ts';

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
    // With more trouble some runs of this build go round in a circle for ever, which takes long to notice.
    selection: { only: ['commit-failed'] },
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
    selection: { only: ['clock-jump', 'half-open', 'server-without-power'] },
  },
  {
    name: 'refusal-forgotten',
    does: 'a terminal refusal spends no seq',
    breaks: 'decision 1, HF-6.4',
    file: TOPIC_LOG,
    find: '    if (payloads instanceof HoldfastError && payloads.retryable) {',
    replace: '    if (payloads instanceof HoldfastError) {',
    properties: ['refusals-legal', 'all-settled', 'same-answer', 'publish-order'],
  },
  {
    name: 'seq-not-written',
    does: 'the next seq is not in the record with the rows that got one',
    breaks: 'decision 3, HF-6.12',
    file: PIPELINE,
    find: '    if (rows.length > 0) writer.putProducer(this.#producer);\n',
    replace: '',
    properties: ['refusals-legal', 'publish-order'],
  },
  {
    name: 'sent-as-another',
    does: 'rows go out over a connection of another subject',
    breaks: 'decision 4, HF-6.12',
    file: PUBLISHER,
    find: 'for (const pipeline of this.#all()) if (pipeline.subject === subject) pipeline.open();',
    replace: 'for (const pipeline of this.#all()) pipeline.open();',
    properties: ['nothing-invented'],
    selection: { only: ['cloned-store'] },
  },
  {
    name: 'deadline-drops-row',
    does: 'what its deadline rejects is not kept in the outbox',
    breaks: 'decision 6, HF-6.13',
    file: PUBLISHER,
    find: "        row.outcome.reject(new HoldfastError('PENDING', `not acknowledged within",
    replace: "        void this.#remove(row, () => {}) ?? row.outcome.reject(new HoldfastError('PENDING', `not acknowledged within",
    properties: ['all-settled', 'refusals-legal', 'publish-order', 'no-error-escapes'],
  },
  {
    name: 'call-sent-again',
    does: 'a call whose answer was lost is sent again',
    breaks: 'decision 9, HF-7.9',
    file: 'packages/client/src/client.ts',
    find: '...(data === undefined ? {} : { data }) }), false, options)',
    replace: '...(data === undefined ? {} : { data }) }), true, options)',
    properties: ['calls-once'],
  },
  {
    name: 'hidden-shown',
    does: 'a cursor hands over what its viewer may not see',
    breaks: 'decision 12, HF-5.6',
    file: CURSOR,
    find: 'log.kind.isVisible?.(framed.entry, sink.viewer) === false',
    replace: 'false',
    properties: ['hidden-stays-hidden'],
  },
  {
    name: 'register-repeated',
    does: 'a reader takes changes of registers that it has',
    breaks: 'decision 13, HF-7.8',
    file: CLIENT_SUBSCRIPTION,
    find: 'if (message.revision > reader.received!.revision) reader.register(message);',
    replace: 'reader.register(message);',
    properties: ['registers-rise', 'position-is-processed'],
  },
  {
    name: 'revocation-unheard',
    does: 'rights that were taken are asked for again by nobody',
    breaks: 'decision 15, HF-5.10',
    file: HUB,
    find: '    await Promise.all(concerned.map((connection) => connection.recheck()));\n',
    replace: '    void concerned;\n',
    properties: ['rights-kept', 'members-agree'],
  },
  {
    name: 'older-connection-stays',
    does: 'a new hello leaves the older connection of its name as it is',
    breaks: 'decision 16, HF-3.5',
    file: HUB,
    find: "    other?.close(CLOSE_CODES.FENCED.code, 'FENCED');\n",
    replace: '    void other;\n',
    properties: ['one-connection'],
  },
  {
    name: 'member-stays',
    does: 'a member whose connection is gone never leaves',
    breaks: 'decision 18, HF-7.6',
    file: 'packages/server/src/presence.ts',
    find: 'seat.timer = this.#options.clock.setTimeout(() => this.leave(subject, client), this.#options.graceMs);',
    replace: '',
    properties: ['members-agree'],
  },
  {
    name: 'drain-refuses',
    does: 'a server that has said goaway takes nothing more',
    breaks: 'decision 19, HF-8.3',
    file: HUB,
    find: '    this.#goingAway = reason;\n',
    replace: '    this.#goingAway = reason;\n    void this.services.intake.close();\n',
    properties: ['goaway-still-accepts'],
  },
  {
    name: 'reader-begins-behind',
    does: 'a reader that resumes counts what it is shown again as new',
    breaks: 'decisions 14 and 20, HF-5.9',
    file: CLIENT_SUBSCRIPTION,
    find: '      if (message.offset === next) reader.entry(message);',
    replace: '      reader.entry(message);',
    properties: ['consumer-order', 'folds-agree', 'position-is-processed'],
  },
  {
    name: 'adopted-under-new-seqs',
    does: 'rows that a dead tab has left are sent under producers of the one that takes them over',
    breaks: 'decision 3, HF-6.12',
    file: PUBLISHER,
    find: '        this.#restore(left.producers, left.rows);',
    replace: '        this.#restore([], left.rows.map(({ producer: _producer, seq: _seq, epoch: _epoch, ...row }) => row));',
    properties: ['nothing-twice', 'publish-order', 'refused-is-not-stored'],
    selection: { only: ['tab-death', 'cut', 'slow-disk', 'commit-answer-lost'] },
  },
];
