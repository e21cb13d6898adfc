/** Opens what a power cut left, as a server does after it, and says what is wrong with it. */

import { createRequire } from 'node:module';
import { assertNothingLost } from '@holdfast/server/conformance';
import { createSqliteStore, type SqliteStore } from '@holdfast/store-sqlite';

export interface Verdict {
  /** Acknowledged batches of which an entry is missing. */
  lostCount: number;
  /** Why the store could not be opened or read, or what SQLite's own check of the file says. */
  damage: string | undefined;
  /** Whether a batch is there in part, acknowledged or not. */
  isTorn: boolean;
  /** Whether a topic's offsets have a hole, or come twice. */
  isHoled: boolean;
  /** Anything else: a producer's memory that does not agree with its log, batches that are no prefix. */
  other: string | undefined;
}

/** What `writeUntilKilled` puts into every payload. */
interface Content {
  readonly batch: number;
  readonly entryCount: number;
}

const WIDE = { countMax: 1_000_000, bytesMax: 1_000_000_000 };

export function isFlawless({ lostCount, damage, isTorn, isHoled, other }: Verdict): boolean {
  return lostCount === 0 && damage === undefined && !isTorn && !isHoled && other === undefined;
}

/** Checks the store in `directory`, of which `acknowledged` batches must be there. */
export async function judge(directory: string, acknowledged: ReadonlySet<number>): Promise<Verdict> {
  const verdict: Verdict = { lostCount: acknowledged.size, damage: undefined, isTorn: false, isHoled: false, other: undefined };
  let store: SqliteStore;
  try {
    store = await createSqliteStore({ directory, synchronous: 'normal' });
  } catch (error) {
    verdict.damage = String(error);
    return verdict;
  }
  try {
    await readThrough(store, acknowledged, verdict);
    // Before the first acknowledgement there need not be anything.
    if (acknowledged.size > 0 && isFlawless(verdict)) {
      await assertNothingLost(store, Math.max(...acknowledged)).catch((error: unknown) => (verdict.other = String(error)));
    }
  } catch (error) {
    verdict.damage = String(error);
  } finally {
    await store.close();
  }
  verdict.damage ??= integrityOf(store);
  return verdict;
}

async function readThrough(store: SqliteStore, acknowledged: ReadonlySet<number>, verdict: Verdict): Promise<void> {
  const batches = new Map<number, { count: number; entryCount: number }>();
  for (const { topic, last } of await store.topics(undefined, WIDE.countMax)) {
    const entries = (await store.read(topic, { after: 0 }, WIDE))?.entries ?? [];
    verdict.isHoled ||= entries.length !== last || entries.some(({ offset }, index) => offset !== index + 1);
    for (const { payload } of entries) {
      const { batch, entryCount } = JSON.parse(payload as string) as Content;
      const { count } = batches.get(batch) ?? { count: 0 };
      batches.set(batch, { count: count + 1, entryCount });
    }
  }
  verdict.isTorn = [...batches.values()].some(({ count, entryCount }) => count !== entryCount);
  verdict.lostCount = [...acknowledged].filter(
    (batch) => batches.get(batch)?.count !== batches.get(batch)?.entryCount || !batches.has(batch),
  ).length;
}

/** What SQLite's own check of the closed file finds; `undefined`: nothing. */
function integrityOf({ path, driver }: SqliteStore): string | undefined {
  try {
    const connection = openFile(path, driver);
    try {
      const rows = connection.prepare('PRAGMA integrity_check(1)').all();
      const said = String(rows[0]?.['integrity_check']);
      return said === 'ok' ? undefined : said;
    } finally {
      connection.close();
    }
  } catch (error) {
    return String(error);
  }
}

interface Connection {
  prepare(sql: string): { all(): Record<string, unknown>[] };
  close(): void;
}

/** With the library that the store found; that one may not be there under every Node, so it is asked for by name. */
function openFile(path: string, driver: SqliteStore['driver']): Connection {
  const library: unknown = createRequire(import.meta.url)(driver);
  const Database =
    driver === 'node:sqlite'
      ? (library as { DatabaseSync: new (path: string) => Connection }).DatabaseSync
      : (library as new (path: string) => Connection);
  return new Database(path);
}
