/**
 * Revocations that outlast the process: each is an entry of the topic `holdfast/revocations`, which no client sees. They are
 * read before the server listens, and followed from there on. A record counts at once, and is confirmed when it is stored.
 */

import { randomUUID } from 'node:crypto';
import { parseRevocation, type Revocation, type Revocations } from '@holdfast/auth';
import type { Actor, Hub, PlainItem } from '@holdfast/server';
import { isJsonObject, type Json, type Position } from '@holdfast/wire';

/** Where they are kept. */
export const REVOCATION_TOPIC = 'holdfast/revocations';

export interface RevocationLog {
  /**
   * Takes credentials back for good; resolves when the record is stored. Connections are the caller's to close. Throws
   * `USAGE` or `OVERLOADED`; when the store refuses, the record counts until the process ends, and the caller tries again.
   */
  revoke(record: Revocation): Promise<void>;
  close(): void;
}

export interface RevocationLogOptions {
  readonly hub: Hub;
  readonly revocations: Revocations;
  /** Gets records that cannot be understood or taken in; the others count. */
  readonly onError: (error: unknown) => void;
  /** How long credentials that were issued before now can still be good, ms: what bounds a record that has no end. Default: any time. */
  readonly lifetimeMaxMs?: number | undefined;
}

/** Resolves when all that was ever revoked is known again. */
export async function openRevocationLog({ hub, revocations, onError, lifetimeMaxMs }: RevocationLogOptions): Promise<RevocationLog> {
  const actor = hub.actor({ subject: 'server' });
  const own = new Set<string>();

  /** A record of credentials that end by themselves need not be kept for ever. Who is locked out stays so. */
  function bounded(record: Revocation): Revocation {
    const { credentialId, issuedBeforeMs, untilMs } = record;
    const isOfPast = credentialId !== undefined || issuedBeforeMs !== undefined;
    if (untilMs !== undefined || lifetimeMaxMs === undefined || !isOfPast) return record;
    const fromMs = Math.max(hub.services.clock.now(), issuedBeforeMs ?? 0);
    return { ...record, untilMs: fromMs + lifetimeMaxMs };
  }

  function apply(data: Json | Uint8Array): Revocation | undefined {
    try {
      const record = parseRevocation(data);
      revocations.revoke(record);
      return record;
    } catch (error) {
      onError(error);
      return undefined;
    }
  }

  function onItem(item: PlainItem): void {
    if (item.type !== 'entry') return;
    const { data } = item;
    // Who asked for it closes the connections, and tells how many there were.
    if (isJsonObject(data) && typeof data['id'] === 'string' && own.delete(data['id'])) return;
    const record = apply(data);
    const isInForce = record !== undefined && (record.untilMs ?? Infinity) > hub.services.clock.now();
    if (isInForce) hub.disconnect(record);
  }

  const position = await shortened(hub, actor, revocations, await replay(actor, apply));
  const stop = await actor.follow(REVOCATION_TOPIC, { position }, onItem);
  return {
    revoke: async (given) => {
      const record = bounded(parseRevocation(given));
      revocations.revoke(record);
      const id = randomUUID();
      own.add(id);
      try {
        await actor.publish(REVOCATION_TOPIC, { id, ...record });
      } catch (error) {
        own.delete(id);
        throw error;
      }
    },
    close: stop,
  };
}

interface LogPage {
  readonly epoch: string;
  readonly last: number;
  readonly entries: readonly { readonly offset: number; readonly data?: Json }[];
}

/** A log of fewer records is read in no time. */
const SHORT_COUNT = 1_000;

/**
 * Of a long log most records have ended: those in force are written again, and then the ones before them cut off. A death in
 * between leaves records that say the same twice.
 */
async function shortened(hub: Hub, actor: Actor, revocations: Revocations, { position, count }: Replayed): Promise<Position> {
  const inForce = revocations.list();
  if (count < SHORT_COUNT || count < 2 * inForce.length) return position;
  let last = position.offset;
  for (const record of inForce) last = (await actor.publish(REVOCATION_TOPIC, { ...record })).offset;
  await hub.services.sequencer.trim(REVOCATION_TOPIC, { countMax: inForce.length });
  return { ...position, offset: last };
}

interface Replayed {
  /** The place behind the last record. */
  readonly position: Position;
  readonly count: number;
}

/** Applies all that is there, page by page. */
async function replay(actor: Actor, apply: (data: Json) => void): Promise<Replayed> {
  let [after, count] = [0, 0];
  for (;;) {
    const { epoch, last, entries } = (await actor.read(REVOCATION_TOPIC, { after })) as unknown as LogPage;
    for (const { data } of entries) apply(data ?? null);
    count += entries.length;
    after = entries.at(-1)?.offset ?? last;
    if (after >= last) return { position: { epoch, offset: after, revision: 0 }, count };
  }
}
