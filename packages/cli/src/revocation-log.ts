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
  /** How many records the log has given since the server began. */
  readonly appliedCount: number;
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
  let appliedCount = 0;

  /** A record of credentials that end by themselves need not be kept for ever. Who is locked out stays so. */
  function bounded(record: Revocation): Revocation {
    const { credentialId, issuedBeforeMs, untilMs } = record;
    const isOfPast = credentialId !== undefined || issuedBeforeMs !== undefined;
    if (untilMs !== undefined || lifetimeMaxMs === undefined || !isOfPast) return record;
    const fromMs = Math.max(hub.services.clock.now(), issuedBeforeMs ?? 0);
    return { ...record, untilMs: fromMs + lifetimeMaxMs };
  }

  function apply(data: Json | Uint8Array): Revocation | undefined {
    appliedCount += 1;
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
    if (isJsonObject(data) && typeof data['id'] === 'string' && own.delete(data['id'])) return void (appliedCount += 1);
    const record = apply(data);
    const isInForce = record !== undefined && (record.untilMs ?? Infinity) > hub.services.clock.now();
    if (isInForce) hub.disconnect(record);
  }

  const position = await replay(actor, apply);
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
    get appliedCount() {
      return appliedCount;
    },
    close: stop,
  };
}

interface LogPage {
  readonly epoch: string;
  readonly last: number;
  readonly entries: readonly { readonly offset: number; readonly data?: Json }[];
}

/** Applies all that is there, page by page; resolves with the place behind it. */
async function replay(actor: Actor, apply: (data: Json) => void): Promise<Position> {
  let after = 0;
  for (;;) {
    const { epoch, last, entries } = (await actor.read(REVOCATION_TOPIC, { after })) as unknown as LogPage;
    for (const { data } of entries) apply(data ?? null);
    after = entries.at(-1)?.offset ?? last;
    if (after >= last) return { epoch, offset: after, revision: 0 };
  }
}
