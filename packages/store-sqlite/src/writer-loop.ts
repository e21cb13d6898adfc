/**
 * The thread of the writer: takes calls in their order, joins batches that wait into one transaction (so one sync serves
 * them all), and uses the time in between for maintenance, a step at a time. It never sleeps while there is work.
 */

import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads';
import { failureOf, type Failure } from './failure.ts';
import { Maintenance, type Task } from './maintenance.ts';
import type { Answer, BatchColumns, Numbered, WriterCall, WriterTask } from './messages.ts';
import { headOf } from './topic-table.ts';
import type { Writer } from './writer.ts';

type ApplyCall = Extract<Numbered<WriterCall>, { readonly kind: 'apply' }>;

interface Work {
  readonly id: number | undefined;
  readonly steps: Task<unknown>;
}

/** Batches joined in one transaction hold at most so many publishes, so that the first one need not wait for ever. */
const GROUP_PUBLISHES_MAX = 16_384;

/** Serves `port` until `close` is asked, which calls `onClose` and is answered last. */
export class WriterLoop {
  readonly #port: MessagePort;
  readonly #task: WriterTask;
  readonly #writer: Writer;
  readonly #maintenance: Maintenance;
  readonly #onClose: () => void;
  /** What is under way, oldest first. Without an id: on the store's own account, nobody waits for it. */
  #work: Work[] = [];
  /** Commits that failed so far. A batch sent before its sender knew of the last of them stands on what is not there. */
  #failureCount = 0;
  #lastFailure: Failure = { message: 'No commit has failed.' };
  #closeId: number | undefined;

  constructor(port: MessagePort, task: WriterTask, writer: Writer, onClose: () => void) {
    this.#port = port;
    this.#task = task;
    this.#writer = writer;
    this.#maintenance = new Maintenance(writer);
    this.#onClose = onClose;
    this.#work.push({ id: undefined, steps: this.#maintenance.finishRemovals() });
    port.on('message', (call: Numbered<WriterCall>) => this.#serve(call));
    setImmediate(() => this.#serve(undefined));
  }

  #serve(first: Numbered<WriterCall> | undefined): void {
    let call = first;
    for (;;) {
      call ??= this.#receive();
      if (call?.kind === 'apply') {
        call = this.#applyGroup(call);
        // Publishers go first, but a task gets its step between two groups, or it would never end.
        this.#step();
      } else if (call) {
        this.#answer(call);
        call = undefined;
      } else if (!this.#step()) {
        break;
      }
    }
    if (this.#closeId !== undefined) this.#close(this.#closeId);
  }

  #receive(): Numbered<WriterCall> | undefined {
    return receiveMessageOnPort(this.#port)?.message as Numbered<WriterCall> | undefined;
  }

  /** Applies this batch and those that wait right behind it; returns the call that came after them, if one is there. */
  #applyGroup(first: ApplyCall): Numbered<WriterCall> | undefined {
    const group: ApplyCall[] = [];
    let publishCount = 0;
    let next: Numbered<WriterCall> | undefined = first;
    const answers: Answer[] = [];
    while (next?.kind === 'apply' && publishCount < GROUP_PUBLISHES_MAX) {
      if (next.failureCount < this.#failureCount) answers.push({ id: next.id, failure: this.#lastFailure });
      else group.push(next);
      publishCount += next.batch.topics.length;
      next = this.#receive();
    }
    if (group.length > 0) answers.push(...this.#apply(group));
    this.#port.postMessage(answers);
    return next;
  }

  #apply(group: readonly ApplyCall[]): Answer[] {
    const results = this.#writer.apply(group.map(({ batch }): BatchColumns => batch));
    const failed = results.find((result) => result.failure && result.isCommit)?.failure;
    if (failed) {
      this.#failureCount += 1;
      this.#lastFailure = failed;
    }
    return results.map(({ failure }, index) => {
      const { id } = group[index]!;
      if (!failure) return { id };
      return failed ? { id, failure, failureCount: this.#failureCount } : { id, failure };
    });
  }

  #answer(call: Exclude<Numbered<WriterCall>, ApplyCall>): void {
    const { id } = call;
    switch (call.kind) {
      case 'head':
        return this.#reply(id, () => this.#head(call.topic));
      case 'outcomes':
        return this.#reply(id, () => {
          const topic = this.#writer.topics.get(call.topic);
          return topic && this.#writer.producers.columns(topic.id, call.subject, call.producer);
        });
      case 'trim':
        return this.#begin(id, this.#maintenance.trim(call.topic, call.keep));
      case 'remove':
        return this.#begin(id, this.#maintenance.remove(call.topic));
      case 'expire':
        return this.#begin(id, this.#maintenance.expireProducers(call.at));
      case 'close':
        this.#closeId = id;
        this.#work = this.#work.filter((work) => work.id !== undefined);
    }
  }

  #head(name: string): unknown {
    const topic = this.#writer.topics.get(name);
    return topic && headOf(topic);
  }

  #reply(id: number, value: () => unknown): void {
    const answer: Answer[] = [];
    try {
      answer.push({ id, value: value() });
    } catch (error) {
      answer.push({ id, failure: failureOf(error, this.#task.path) });
    }
    this.#port.postMessage(answer);
  }

  /** The first step is taken at once, in the order of the calls: what comes after a removal finds the topic gone. */
  #begin(id: number, steps: Task<unknown>): void {
    if (!this.#advance({ id, steps })) this.#work.push({ id, steps });
  }

  /** One step of the work that waits longest; whether there was any. */
  #step(): boolean {
    const [work] = this.#work;
    if (!work) return false;
    if (this.#advance(work)) this.#work.shift();
    return true;
  }

  /** Whether the work is done. */
  #advance({ id, steps }: Work): boolean {
    try {
      const { done, value } = steps.next();
      if (!done) return false;
      if (id === undefined) return true;
      this.#reply(id, () => value);
      if (this.#closeId === undefined) this.#work.push({ id: undefined, steps: this.#maintenance.shrink() });
    } catch (error) {
      // Work of its own account failed, as on a full disk: it is taken up again later or at the next opening.
      if (id === undefined) return true;
      this.#reply(id, () => {
        throw error;
      });
    }
    return true;
  }

  #close(id: number): void {
    this.#reply(id, () => {
      this.#writer.close();
      this.#onClose();
    });
    this.#port.close();
  }
}
