/** A herd that comes while the server is busy is held by the operating system, not dropped. */

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { endAll, newHub, start } from './real-peer.testing.ts';

const HERD = 1_000;
/** Prints how many of its connections stand when all do, or at the latest after three seconds. */
const COME = `
  const { connect } = require('node:net');
  let count = 0;
  const end = () => { console.log(count); process.exit(); };
  for (let at = 0; at < ${HERD}; at++) connect(+process.argv[1], '127.0.0.1', () => ++count === ${HERD} && end()).on('error', () => {});
  setTimeout(end, 3_000);
`;

/** What the system holds at the most, whoever asks; 0 where that is not known. */
function systemBacklog(): number {
  try {
    return Number(readFileSync('/proc/sys/net/core/somaxconn', 'utf8'));
  } catch {
    return 0;
  }
}

afterEach(endAll);

test.skipIf(systemBacklog() < HERD)('a thousand connections are made while nobody accepts any', async () => {
  const { port } = await start({ hub: newHub() });
  // While this waits, the server does nothing.
  const { stdout } = spawnSync(process.execPath, ['-e', COME, String(port)], { encoding: 'utf8' });
  expect(Number(stdout)).toBe(HERD);
});
