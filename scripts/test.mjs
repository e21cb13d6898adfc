/** `npm test`: installs what is needed, runs the whole gate, and ends with the line `N passed, N failed`. */

import { ensureInstalled, orExplain } from './installation.mjs';
import { runGate } from './check.mjs';

const sums = (await orExplain(async () => {
  await ensureInstalled();
  return runGate();
})) ?? { passed: 0, failed: 1 };
process.exitCode = sums.failed === 0 ? 0 : 1;
console.log(`${sums.passed} passed, ${sums.failed} failed`);
