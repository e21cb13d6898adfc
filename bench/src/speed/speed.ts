/**
 * Runs scenarios: all contenders in turn, then all again, so that what the machine does meanwhile meets everybody. Each run has
 * a fresh server and a fresh load generator; a run in which any message was wrong or missing counts for nothing, and is told.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Figure } from '../append.ts';
import { formatFigure } from '../figure-text.ts';
import { LoadGenerator } from '../load/load-generator.ts';
import { median } from '../percentile.ts';
import type { Contender } from './contender.ts';
import type { Plan, Sample, Scenario, SpeedRow } from './scenario.ts';

export interface SpeedOptions {
  readonly contenders: readonly Contender[];
  readonly runs: number;
  readonly plan: Plan;
  readonly report: (line: string) => void;
}

/** The figures of one scenario, a row for each contender that took part and came through at least once. */
export async function measureSpeed(scenario: Scenario, { contenders, runs, plan, report }: SpeedOptions): Promise<SpeedRow[]> {
  const entered = contenders.filter((contender) => contender.abilities.includes(scenario.needs) && isHere(contender, report));
  const samples = new Map<Contender, Sample[]>(entered.map((contender) => [contender, []]));
  for (let round = 1; round <= runs; round++)
    for (const contender of entered) {
      try {
        const sample = await runOnce(scenario, contender, plan);
        samples.get(contender)!.push(sample);
        report(`${scenario.name} ${round}/${runs} ${contender.name}: ${told(scenario, sample)}`);
      } catch (error) {
        report(`${scenario.name} ${round}/${runs} ${contender.name}: FAILED: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  return [...samples].flatMap(([contender, list]) => (list.length === 0 ? [] : [rowOf(scenario, contender, list)]));
}

function isHere({ name, version, remedy }: Contender, report: (line: string) => void): boolean {
  if (version() !== undefined) return true;
  report(`SKIPPED: ${name} is not installed${remedy === undefined ? '' : ` (${remedy})`}`);
  return false;
}

async function runOnce(scenario: Scenario, contender: Contender, plan: Plan): Promise<Sample> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-speed-'));
  try {
    const server = await contender.start(folder);
    const load = new LoadGenerator(contender.protocol, server.port, server.pid);
    try {
      return await scenario.run({ contender, server, load, plan, folder });
    } finally {
      await load.kill();
      await server.kill();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function rowOf(scenario: Scenario, { name, title, version }: Contender, samples: readonly Sample[]): SpeedRow {
  const figures = scenario.metrics.map((metric): [string, Figure] => {
    const values = samples.map((sample) => sample[metric.name] ?? Number.NaN).filter((value) => Number.isFinite(value));
    return [metric.name, { median: median(values), min: Math.min(...values), max: Math.max(...values) }];
  });
  return { contender: name, title, version: version() ?? '', runs: samples.length, figures: Object.fromEntries(figures) };
}

function told({ metrics }: Scenario, sample: Sample): string {
  return metrics.map(({ name, unit }) => `${name} ${formatFigure(sample[name] ?? Number.NaN)}${unit === '' ? '' : ` ${unit}`}`).join(', ');
}

/** Medians as Markdown, with the ratio of the first metric to `base`. */
export function speedTable({ metrics }: Scenario, rows: readonly SpeedRow[], base: string): string {
  const first = metrics[0]!.name;
  const ours = rows.find(({ contender }) => contender === base)?.figures[first]?.median;
  const head = ['server', ...metrics.map(({ title, unit }) => (unit === '' ? title : `${title}, ${unit}`)), 'ratio'];
  const lines = rows.map(({ title, figures }) => {
    const cells = metrics.map(({ name }) => formatFigure(figures[name]!.median));
    return [title, ...cells, ours === undefined ? '' : `${(figures[first]!.median / ours).toPrecision(2)}x`];
  });
  return [head, head.map((_, at) => (at === 0 ? '---' : '---:')), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
