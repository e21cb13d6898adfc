/**
 * The end of a turn of the event loop: after what arrived was taken in, after what that had deferred, and after what followed of
 * both at once. What is to be written waits for it, so that the answer to a publish leaves in the turn in which it was stored.
 *
 * Node runs all immediates that are due one behind the other, with the microtasks of each in between. The end is an immediate that
 * is kept behind those of the turn's tasks.
 */

let end: NodeJS.Immediate | undefined;
/** Deferred tasks that have not run. */
let waiting = 0;
/** Whether this turn's tasks have begun: what is deferred now runs in the next. */
let isRunning = false;
let atEnd: (() => void)[] = [];

/** Runs `task` after the present turn's arrivals were taken in. */
export function defer(task: () => void): void {
  waiting += 1;
  setImmediate(run, task);
  if (isRunning) return;
  if (end !== undefined) clearImmediate(end);
  end = setImmediate(finish);
}

/** Runs `task` at the end of this turn. */
export function deferToEnd(task: () => void): void {
  atEnd.push(task);
  end ??= setImmediate(finish);
}

function run(task: () => void): void {
  waiting -= 1;
  isRunning = true;
  task();
}

function finish(): void {
  isRunning = false;
  const tasks = atEnd;
  atEnd = [];
  // Behind what is deferred already.
  end = waiting > 0 ? setImmediate(finish) : undefined;
  for (const task of tasks) task();
}
