/** A sequencer on a scripted store, and a record of everything that it says, in order. */

import type { HoldfastError } from '@holdfast/wire';
import { repeatableRandom } from './chance.testing.ts';
import { log, type Kind } from './kind.ts';
import { ScriptedStore } from './scripted-store.testing.ts';
import { Sequencer } from './sequencer.ts';
import type { MemoryDisk } from './store-memory.ts';
import type { Decision, PublishRequest } from './topic-log.ts';
import { VirtualClock } from './virtual-clock.testing.ts';

export interface SequencerStageOptions {
  readonly disk?: MemoryDisk;
  readonly clock?: VirtualClock;
  readonly kind?: Kind;
  readonly outcomesMax?: number;
  readonly producerSilenceMs?: number;
}

/** One for all stages of a run: an epoch must never come twice. */
const random = repeatableRandom(1);

export class SequencerStage {
  readonly clock: VirtualClock;
  readonly store: ScriptedStore;
  readonly sequencer: Sequencer;
  /** What happened, such as `p1 at 1`, `p2 STORE_UNAVAILABLE`, `commit t 1-2`, `register t 1`, `reload t`. */
  readonly events: string[] = [];

  constructor({ disk, clock, kind = log(), outcomesMax, producerSilenceMs = 1_000_000 }: SequencerStageOptions = {}) {
    this.clock = clock ?? new VirtualClock();
    this.store = new ScriptedStore({ ...(disk === undefined ? {} : { disk }), ...(outcomesMax === undefined ? {} : { outcomesMax }) });
    this.sequencer = new Sequencer({
      store: this.store,
      clock: this.clock,
      random,
      kindOf: () => kind,
      producerSilenceMs,
      listener: {
        onCommit: ({ topic }, { entries, registers }) => {
          if (entries.length > 0) this.events.push(`commit ${topic} ${entries[0]!.offset}-${entries.at(-1)!.offset}`);
          for (const { revision } of registers) this.events.push(`register ${topic} ${revision}`);
        },
        onReload: ({ topic }) => this.events.push(`reload ${topic}`),
      },
    });
  }

  /** Publishes `seq` of producer `p` to topic `t`; its answer goes into the events. */
  publish(seq: number, more: Partial<PublishRequest> & { readonly subject?: string } = {}): void {
    const { subject = 'alice', ...fields } = more;
    const request = { topic: 't', identity: { subject }, producer: 'p', seq, digest: `d${seq}`, payloads: [`"${seq}"`], ...fields };
    this.sequencer.publish(request, (decision) => this.events.push(`${request.producer}${seq} ${said(decision)}`));
  }

  /** Writes a register of topic `t`; what stands, or the refusal, goes into the events. */
  write(key: string, merge: 'max' | 'replace', value: number | string, ifRevision?: number): void {
    this.sequencer.register({ topic: 't', key, merge, value, ifRevision }).then(
      (stands) => this.events.push(`${key}=${stands.value}@${stands.revision}`),
      (error: HoldfastError) => this.events.push(`${key} ${error.code}`),
    );
  }

  /** What happened since it was asked last, after everything that can happen now has happened. */
  async happened(): Promise<string[]> {
    await this.clock.settle();
    return this.events.splice(0);
  }

  /** The payloads that the store has of a topic, in order. */
  async stored(topic = 't'): Promise<unknown[]> {
    const page = await this.store.read(topic, { after: 0 }, { countMax: 1_000, bytesMax: 1_000_000 });
    return (page?.entries ?? []).map(({ payload }) => JSON.parse(payload as string) as unknown);
  }
}

function said(decision: Decision): string {
  if (decision.kind === 'refused') return decision.error.code;
  return `at ${decision.offset}${decision.duplicate ? ' again' : ''}`;
}
