/**
 * Where our server's processor time goes, by part: V8's sampling profiler in the server's process during a scenario. What it finds
 * is what limits the rest.
 */

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LoadGenerator } from '../load/load-generator.ts';
import type { Contender } from './contender.ts';
import type { Plan, Scenario } from './scenario.ts';
import { ServerProcess } from './server-process.ts';

/** What it knows of a function: native ones have no address, those of Node begin with `node:`. */
export interface CallFrame {
  readonly functionName: string;
  readonly url: string;
}

/** The parts of `Profile.cpuprofile` that are used (V8 inspector protocol, Profiler.Profile). Times in µs. */
export interface CpuProfile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: CallFrame }[];
  readonly startTime: number;
  readonly endTime: number;
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** In the order of the table. */
export const PARTS = {
  write: 'the write call',
  server: 'hub, logs, fan-out',
  wire: 'frames: parsing, making',
  ws: '`ws`: handshake, reading',
  http: 'Node: HTTP',
  node: 'Node: streams, sockets, the rest',
  garbage: 'garbage collector',
} as const;
export type Part = keyof typeof PARTS;

export interface ProfileRow {
  readonly scenario: string;
  readonly title: string;
  /** Shares of the time in which it did anything; together 1. */
  readonly parts: Readonly<Record<Part, number>>;
}

const WRITES = new Set(['writeBuffer', 'writev', 'writeUtf8String', 'writeLatin1String']);
const SAMPLE_MICROS = 300;
/** What comes after a window: the rest of the deliveries, and the end of the process. */
const AFTER_MS = 700;

/** To which part of the program a function belongs; `undefined`: it is none, the process waits. */
export function partOf({ functionName, url }: CallFrame): Part | undefined {
  if (functionName === '(idle)') return undefined;
  if (functionName === '(garbage collector)') return 'garbage';
  if (url === '') return WRITES.has(functionName) ? 'write' : 'node';
  if (/^node:(_http|internal\/http)/.test(url)) return 'http';
  if (url.includes('/node_modules/ws/')) return 'ws';
  if (/\/packages\/wire\//.test(url)) return 'wire';
  return /\/packages\//.test(url) ? 'server' : 'node';
}

/** The share of each part, of the last `ms` of a profile. Throws where the process did nothing in it. */
export function sharesOf({ nodes, startTime, endTime, samples, timeDeltas }: CpuProfile, ms: number): Record<Part, number> {
  const parts = new Map(nodes.map(({ id, callFrame }) => [id, partOf(callFrame)]));
  const shares: Record<Part, number> = { write: 0, server: 0, wire: 0, ws: 0, http: 0, node: 0, garbage: 0 };
  let all = 0;
  let at = startTime;
  for (const [index, id] of samples.entries()) {
    const micros = timeDeltas[index]!;
    at += micros;
    const part = parts.get(id);
    if (part === undefined || at < endTime - ms * 1_000) continue;
    shares[part] += micros;
    all += micros;
  }
  if (all === 0) throw new Error('the profile has no sample of a busy process');
  for (const part of Object.keys(shares) as Part[]) shares[part] /= all;
  return shares;
}

/** One run of a scenario with the profiler on. */
export async function profile(scenario: Scenario, contender: Contender, plan: Plan): Promise<ProfileRow> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-profile-'));
  try {
    const peer = fileURLToPath(new URL('../../peers/holdfast.mjs', import.meta.url));
    const server = await ServerProcess.printing(process.execPath, [
      '--cpu-prof',
      `--cpu-prof-interval=${SAMPLE_MICROS}`,
      `--cpu-prof-dir=${folder}`,
      peer,
    ]);
    const load = new LoadGenerator(contender.protocol, server.port, server.pid);
    try {
      await scenario.run({ contender, server, load, plan, folder });
    } finally {
      await load.kill();
      await server.stop();
    }
    const [file] = readdirSync(folder).filter((name) => name.endsWith('.cpuprofile'));
    if (file === undefined) throw new Error('the server wrote no profile');
    const recorded = JSON.parse(readFileSync(join(folder, file), 'utf8')) as CpuProfile;
    return { scenario: scenario.name, title: scenario.title, parts: sharesOf(recorded, plan.ms + AFTER_MS) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** As Markdown, in per cent. */
export function profileTable(rows: readonly ProfileRow[]): string {
  const parts = Object.keys(PARTS) as Part[];
  const head = `| scenario | ${parts.map((part) => PARTS[part]).join(' | ')} |`;
  const lines = rows.map((row) => `| ${row.scenario} | ${parts.map((part) => `${Math.round(row.parts[part] * 100)} %`).join(' | ')} |`);
  return [head, `|---|${parts.map(() => '---:|').join('')}`, ...lines].join('\n');
}
