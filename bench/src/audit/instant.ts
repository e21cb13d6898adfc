/** One clock for several processes of this machine. */

/** Milliseconds since 1970 with fractions; it never goes back within a process. */
export function instantMs(): number {
  return performance.timeOrigin + performance.now();
}
