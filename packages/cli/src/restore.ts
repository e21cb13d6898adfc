/** `holdfast restore`: makes a data folder of a backup, under new epochs. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { restoreBackup } from '@holdfast/store-sqlite';
import { defineCommand, type Command } from './command.ts';
import { CommandFailure, EXIT_CODES } from './failure.ts';
import { flag } from './option.ts';

export const restore: Command = defineCommand({
  name: 'restore',
  summary: 'makes a data folder of a backup.',
  operands: 'FILE DATA_DIR',
  operandsMin: 2,
  operandsMax: 2,
  options: { replace: flag('put a store that is there aside, under a name that is printed') },
  details: [
    'Every topic begins a new epoch: clients that saw what came after the backup get a gap, never another history',
    'under the same offsets. No server may run on DATA_DIR meanwhile.',
  ].join('\n'),
  examples: [
    ['holdfast restore monday.db ./data', 'into a new or empty folder'],
    ['holdfast restore monday.db ./data --replace', 'instead of what is there'],
  ],
  run: async ({ values, operands }) => {
    const [from, directory] = operands as readonly [string, string];
    if (values.replace !== true && existsSync(join(directory, 'holdfast.db'))) {
      throw new CommandFailure(
        `there is a store in ${directory} already`,
        'Restore into another folder, or put that one aside with --replace.',
      );
    }
    const { path, replaced } = await restoreBackup({ from, directory, replace: values.replace ?? false });
    if (replaced !== undefined) console.log(`the store that was there is now ${replaced}`);
    console.log(`${path} is restored from ${from}, every topic in a new epoch`);
    return EXIT_CODES.ok;
  },
});
