/** What a server says of itself to the process that started it: how late its event loop was, what it holds, what it counted. */

import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 10;

/** Answers "begin", "end" and "memory" of the parent; the last wants `--expose-gc`. `counted` tells the server's own counters. */
export function gauge(counted = () => ({})) {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  // What is sampled has the timer's own interval in it.
  const lateMs = (ns) => Math.max(0, ns / 1e6 - RESOLUTION_MS);
  // Who started it is gone, however that came.
  process.once('disconnect', () => process.exit());
  process.on('message', (asked) => {
    if (asked === 'begin') {
      delay.reset();
      delay.enable();
      process.send(counted());
    } else if (asked === 'end') {
      delay.disable();
      process.send({ ...counted(), delayP99Ms: lateMs(delay.percentile(99)), delayMaxMs: lateMs(delay.max) });
    } else {
      globalThis.gc();
      globalThis.gc();
      const { rss, heapUsed, external } = process.memoryUsage();
      process.send({ residentBytes: rss, heldBytes: heapUsed + external });
    }
  });
}
