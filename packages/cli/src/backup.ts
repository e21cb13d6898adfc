/**
 * `holdfast backup`: copies the store of a data folder into one file. A server that runs on it is asked to do it; where
 * none runs, this process opens the store for as long as that takes.
 */

import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createSqliteStore } from '@holdfast/store-sqlite';
import { askForBackup } from './control.ts';
import { defineCommand, type Command } from './command.ts';
import { CommandFailure, EXIT_CODES } from './failure.ts';

export const backup: Command = defineCommand({
  name: 'backup',
  summary: 'copies the store of a data folder into one file.',
  operands: 'DATA_DIR FILE',
  operandsMin: 2,
  operandsMax: 2,
  options: {},
  details: [
    'Works while "holdfast serve" runs on DATA_DIR, which then makes the copy beside its work: what was committed at one',
    'moment. FILE must not exist; it gets its name when it is whole and on the disk.',
  ].join('\n'),
  examples: [['holdfast backup ./data monday.db', 'one consistent file; "holdfast restore" makes a folder of it']],
  run: async ({ operands }) => {
    const [directory, to] = operands as readonly [string, string];
    // Opening a store makes one where there is none.
    if (!existsSync(join(directory, 'holdfast.db')))
      throw new CommandFailure(`there is no store in ${directory}`, 'Name the folder that "holdfast serve" was given with --data.');
    const bytes = (await askForBackup(directory, to)) ?? (await copyStore(directory, to));
    console.log(`${to}: ${bytes} bytes`);
    return EXIT_CODES.ok;
  },
});

async function copyStore(directory: string, to: string): Promise<number> {
  const store = await createSqliteStore({ directory });
  try {
    await store.backup(to);
    return statSync(to).size;
  } finally {
    await store.close();
  }
}
