/** The port for the memory of the process. */

import { getHeapStatistics } from 'node:v8';

/** What JavaScript holds: its heap and the buffers beside it, bytes. */
export function systemMemory(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Four fifths of the heap that V8 allows this process, bytes: beyond it the collector works for nothing else. */
export function systemMemoryBytesMax(): number {
  return Math.floor(getHeapStatistics().heap_size_limit * 0.8);
}
