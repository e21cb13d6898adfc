/** For `failing-sync.test.ts`: writes until the disk fails, and prints what the store says then and afterwards. */

import { MiniSequencer } from '@holdfast/server/conformance';
import { createSqliteStore } from '../dist/index.js';

const store = await createSqliteStore({ directory: process.argv[2] });
const script = new MiniSequencer().found('a');
const said = [];
let acknowledgedCount = 0;
while (said.length < 2) {
  await store.apply(script.publish('a', `${acknowledgedCount}`).take()).then(
    () => (acknowledgedCount += 1),
    (error) => said.push(`${error.code}: ${error.message}`),
  );
}
const page = await store.read('a', { after: 0 }, { countMax: 1000, bytesMax: 1e6 });
process.stdout.write(JSON.stringify({ acknowledgedCount, said, readable: page.entries.length }));
process.exit(0);
