/** Batches as columns on their way to the writer, pages from columns on their way back. */

import type { Batch, Entry, Outcome, Page, ProducerMemory } from '@holdfast/server';
import { NUMBERS_PER_PUBLISH, VALUES_PER_OUTCOME, type BatchColumns, type PageColumns, type ProducerColumns } from './messages.ts';

/** Throws an assertion if a publish does not carry as many payloads as it says. */
export function columnsOf(batch: Batch): BatchColumns {
  const topics: string[] = [];
  const subjects: string[] = [];
  const producers: string[] = [];
  const digests: string[] = [];
  const refusals: string[] = [];
  const payloads: (string | Uint8Array)[] = [];
  const numbers = new Float64Array(batch.publishes.length * NUMBERS_PER_PUBLISH);
  let place = 0;
  for (const { topic, subject, producer, seq, digest, at, outcome, payloads: own } of batch.publishes) {
    const count = outcome.kind === 'accepted' ? outcome.count : 0;
    if (own.length !== count) throw new Error(`A batch is not dense: seq ${seq} of ${producer} in ${topic} has ${own.length} payloads.`);
    topics.push(topic);
    subjects.push(subject);
    producers.push(producer);
    digests.push(digest);
    numbers[place] = seq;
    numbers[place + 1] = at;
    if (outcome.kind === 'accepted') {
      numbers[place + 2] = outcome.offset;
      numbers[place + 3] = count;
    } else refusals.push(outcome.code, outcome.message);
    place += NUMBERS_PER_PUBLISH;
    for (const payload of own) payloads.push(typeof payload === 'string' ? payload : standingAlone(payload));
  }
  const found = batch.found.flatMap(({ topic, epoch }) => [topic, epoch]);
  return { found, topics, subjects, producers, digests, numbers, refusals, payloads, registers: batch.registers };
}

/** Cloning a window on a buffer clones the whole buffer: a socket's 64 kB for a payload of 20 bytes. */
function standingAlone(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : Uint8Array.from(bytes);
}

/** About how much memory a batch takes on its way, bytes. */
export function sizeOf({ payloads, topics }: BatchColumns): number {
  return payloads.reduce((sum, payload) => sum + (typeof payload === 'string' ? payload.length : payload.byteLength), topics.length * 100);
}

export function pageOf({ epoch, first, last, revision, firstOffset, at, producers, seqs, from, payloads }: PageColumns): Page {
  const entries = payloads.map((payload, index): Entry => ({
    offset: firstOffset + index,
    producer: producers[index]!,
    seq: seqs[index]!,
    from: from[index]!,
    at: at[index]!,
    payload,
  }));
  return { epoch, first, last, revision, entries };
}

export function memoryOf({ seq, at, recent: values }: ProducerColumns): ProducerMemory {
  const recent = Array.from({ length: values.length / VALUES_PER_OUTCOME }, (_, index) => {
    const [digest, second, third] = values.slice(index * VALUES_PER_OUTCOME);
    const outcome: Outcome =
      typeof second === 'number'
        ? { kind: 'accepted', offset: second, count: Number(third) }
        : { kind: 'refused', code: String(second), message: String(third) };
    return { seq: seq - values.length / VALUES_PER_OUTCOME + 1 + index, digest: String(digest), outcome };
  });
  return { seq, at, recent };
}
