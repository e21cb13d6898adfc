/** What every result says of itself: the machine, the versions, the commit. */

import { execFileSync } from 'node:child_process';
import { cpus, platform, release, totalmem } from 'node:os';

export interface Provenance {
  readonly commit: string;
  readonly date: string;
  readonly node: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly system: string;
}

/** `commit` ends in `+` where the work tree differs from it. */
export function provenance(): Provenance {
  return {
    commit: commit(),
    date: new Date().toISOString().slice(0, 10),
    node: process.version,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${release()}`,
  };
}

function commit(): string {
  try {
    const git = (...args: string[]): string => execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    const isDirty = git('status', '--porcelain', '--untracked-files=no', '--', 'packages', 'bench/src') !== '';
    return git('rev-parse', '--short', 'HEAD') + (isDirty ? '+' : '');
  } catch {
    return 'unknown';
  }
}
