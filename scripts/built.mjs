/** `node scripts/built.mjs <program> [arguments]`: brings the build up to date, silently, then is that program. */

import { ensureBuilt, ensureInstalled, orExplain } from './installation.mjs';
import { launch } from './launch.mjs';

const [program, ...args] = process.argv.slice(2);
await orExplain(async () => {
  await ensureInstalled();
  await ensureBuilt();
  await launch(program, args);
});
