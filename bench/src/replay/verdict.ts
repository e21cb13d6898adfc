/**
 * The end: three accounts of each topic (the file, the server's answers to `read`, the store's file without a server) and
 * what each observer saw are held against each other. One topic at a time is in memory.
 */

import { readFileSync } from 'node:fs';
import type { Client } from '@holdfast/client';
import { createSqliteStore } from '@holdfast/store-sqlite';
import type { Json } from '@holdfast/wire';
import { linesOf, type LogFile } from './irc-log.ts';
import type { Ledger } from './ledger.ts';
import { LogCheck } from './log-check.ts';
import { recordPath } from './observer.ts';
import { firstDifference, readRecords, RecordFile, recordOf } from './record.ts';

const PAGE_COUNT = 500;

/** Reads every log from the server into `folder`, as an observer would have, and holds it against its file. */
export async function checkServer(client: Client, files: readonly LogFile[], folder: string, ledger: Ledger): Promise<void> {
  for (const [index, { name, path, topic }] of files.entries()) {
    const check = new LogCheck(name, linesOf(readFileSync(path, 'utf8')), ledger);
    const record = new RecordFile(recordPath(folder, index), 0);
    for (let after = 0, last = 1; after < last;) {
      const page = await client.topic(topic).read({ after, limit: PAGE_COUNT });
      for (const entry of page.entries) {
        check.entry(entry);
        record.append(recordOf(entry));
      }
      last = page.entries.length === 0 ? after : page.last;
      after = page.entries.at(-1)?.offset ?? after;
    }
    check.end();
    record.close();
  }
}

/** The same from the store's file, with no server running. */
export async function checkStore(
  directory: string,
  files: readonly LogFile[],
  serverFolder: string,
  folder: string,
  ledger: Ledger,
): Promise<void> {
  const store = await createSqliteStore({ directory });
  try {
    for (const [index, { topic }] of files.entries()) {
      const record = new RecordFile(recordPath(folder, index), 0);
      for (let after = 0; ;) {
        const page = await store.read(topic, { after }, { countMax: PAGE_COUNT, bytesMax: 1_048_576 });
        if (page === undefined || page.entries.length === 0) break;
        for (const { payload, ...fields } of page.entries)
          record.append(recordOf({ ...fields, data: JSON.parse(payload as string) as Json }));
        after = page.entries.at(-1)!.offset;
      }
      record.close();
      const difference = await firstDifference(recordPath(serverFolder, index), recordPath(folder, index));
      if (difference !== undefined) ledger.report('store', `${topic}: the file ${difference}`);
    }
  } finally {
    await store.close();
  }
}

/** What an observer saw, against what the server has. Resolves with how many entries that are. */
export async function checkObserver(
  name: string,
  observerFolder: string,
  serverFolder: string,
  files: readonly LogFile[],
  ledger: Ledger,
): Promise<number> {
  let count = 0;
  for (const [index, { topic }] of files.entries()) {
    const path = recordPath(observerFolder, index);
    for await (const record of readRecords(path)) {
      if (record.startsWith('gap ')) ledger.report('gap', `${name} in ${topic}: ${record}`);
      else count += 1;
    }
    const difference = await firstDifference(recordPath(serverFolder, index), path);
    if (difference !== undefined) ledger.report('observer', `${name} in ${topic} ${difference}`);
  }
  return count;
}
