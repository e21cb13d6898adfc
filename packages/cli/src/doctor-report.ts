/**
 * What `holdfast doctor` found: findings in the order of the steps, each told as it happens, and all of them as one object
 * for a support ticket. It knows nothing of the network; secrets are taken out here, whoever wrote them.
 */

import type { Json } from '@holdfast/wire';
import { EXIT_CODES } from './failure.ts';
import { printable, type Secrets } from './doctor-secrets.ts';

/** `warning`: it works, but not as it should, or not for everybody. */
export type Verdict = 'ok' | 'warning' | 'failed';

export interface Observation {
  readonly verdict: Verdict;
  /** What was seen, without a full stop. */
  readonly text: string;
  /** How to mend it: one sentence. */
  readonly mend?: string;
  /** For programs, in `--json`. */
  readonly facts?: { readonly [name: string]: Json };
  /** How long it took, ms. Absent: it took none of its own. */
  readonly tookMs?: number;
}

export interface Finding extends Observation {
  readonly step: string;
}

/** What a step saw, and what the next ones need of it; without a value they cannot go on. */
export interface Outcome<Value> {
  readonly observations: readonly Observation[];
  readonly value?: Value;
}

export function ok(text: string, facts?: Observation['facts']): Observation {
  return { verdict: 'ok', text, ...(facts === undefined ? {} : { facts }) };
}

export function warning(text: string, mend: string, facts?: Observation['facts']): Observation {
  return { verdict: 'warning', text, mend, ...(facts === undefined ? {} : { facts }) };
}

export function failed(text: string, mend: string, facts?: Observation['facts']): Observation {
  return { verdict: 'failed', text, mend, ...(facts === undefined ? {} : { facts }) };
}

/** Of a step that cannot go on. */
export function end(...observations: readonly Observation[]): { readonly observations: readonly Observation[] } {
  return { observations };
}

export class Report {
  readonly #findings: Finding[] = [];
  readonly #secrets: Secrets;
  readonly #told: (finding: Finding) => void;

  /** `told` is called with each finding as it happens. */
  constructor(secrets: Secrets, told: (finding: Finding) => void = () => {}) {
    this.#secrets = secrets;
    this.#told = told;
  }

  get findings(): readonly Finding[] {
    return this.#findings;
  }

  get verdict(): Verdict {
    const verdicts = this.#findings.map(({ verdict }) => verdict);
    return verdicts.includes('failed') ? 'failed' : verdicts.includes('warning') ? 'warning' : 'ok';
  }

  /** 0 also with warnings. */
  get exitCode(): number {
    return this.verdict === 'failed' ? EXIT_CODES.failure : EXIT_CODES.ok;
  }

  add(step: string, observation: Observation): void {
    const finding = this.#clean({ step, ...observation });
    this.#findings.push(finding);
    this.#told(finding);
  }

  /** Does a step; its first observation gets the time that it took. Resolves with what the next ones need. */
  async run<Value>(step: string, work: () => Promise<Outcome<Value>>): Promise<Value | undefined> {
    const sinceMs = performance.now();
    const { observations, value } = await work();
    const tookMs = performance.now() - sinceMs;
    observations.forEach((one, at) => this.add(step, at === 0 ? { tookMs, ...one } : one));
    return value;
  }

  #clean(finding: Finding): Finding {
    const { tookMs, ...rest } = finding;
    const clean = this.#hide(rest) as unknown as Finding;
    return { ...clean, ...(tookMs === undefined ? {} : { tookMs: Math.round(tookMs * 10) / 10 }) };
  }

  #hide(value: Json): Json {
    if (typeof value === 'string') return this.#secrets.hide(printable(value));
    if (Array.isArray(value)) return value.map((one: Json) => this.#hide(one));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, this.#hide(one)]));
  }
}

const STEP_WIDTH = 11;
const TIME_WIDTH = 9;

/** A line, and a second one with what mends it. */
export function findingText({ step, verdict, text, mend, tookMs }: Finding): string {
  const time = tookMs === undefined ? '' : durationText(tookMs);
  const left = `${verdict.padEnd(7)}  ${step.padEnd(STEP_WIDTH)} ${time.padStart(TIME_WIDTH)}  `;
  return mend === undefined ? `${left}${text}` : `${left}${text}\n${' '.repeat(left.length)}-> ${mend}`;
}

/** The last line. */
export function summaryText(report: Report): string {
  const count = (verdict: Verdict): number => report.findings.filter((one) => one.verdict === verdict).length;
  const warnings = count('warning') === 0 ? '' : count('warning') === 1 ? '1 warning' : `${count('warning')} warnings`;
  if (report.verdict === 'ok') return 'All is well.';
  if (report.verdict === 'warning') return `It works, with ${warnings}.`;
  const failures = count('failed') === 1 ? '1 failure' : `${count('failed')} failures`;
  return `It does not work: ${failures}${warnings === '' ? '' : `, ${warnings}`}.`;
}

/** Such as `0.4 ms`, `12 ms`, `3.1 s`. */
export function durationText(ms: number): string {
  if (ms < 10) return `${Math.round(ms * 10) / 10} ms`;
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 100) / 10} s`;
}
