/** All targets, and how the inputs of a run are divided among them. */

import { BINARY_FRAMES } from './binary-frames.ts';
import { CLIENT_FRAMES } from './client-frames.ts';
import { HTTP } from './http.ts';
import type { Target } from './target.ts';
import { TEXT_FRAMES } from './text-frames.ts';
import { TOKENS } from './tokens.ts';
import { UPGRADE } from './upgrade.ts';

export const TARGETS: readonly Target[] = [TEXT_FRAMES, BINARY_FRAMES, CLIENT_FRAMES, HTTP, UPGRADE, TOKENS];

/** Throws for a name that none has. */
export function targetNamed(name: string): Target {
  const target = TARGETS.find((one) => one.name === name);
  if (target === undefined) throw new Error(`no target "${name}"; there are ${TARGETS.map((one) => one.name).join(', ')}`);
  return target;
}
