/** Hooks may answer at once or later, and not only with this realm's own promises. */

/** Whether a hook's answer is still to come. */
export function isThenable<Value>(value: Value | PromiseLike<Value>): value is PromiseLike<Value> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
