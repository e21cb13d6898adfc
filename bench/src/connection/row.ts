/** One line of one table of the result: what was measured of whom. */

/** Under its heading, unit included. `null`: it never happened. */
export type Figures = Readonly<Record<string, number | string | null>>;

export interface ConnectionRow {
  /** Which table. */
  readonly measure: Measure;
  readonly name: string;
  readonly figures: Figures;
}

export const MEASURES = ['half-open link', 'slow link', 'freezes', 'herd', 'alone', 'size', 'goals'] as const;

export type Measure = (typeof MEASURES)[number];

/** Those that a library takes part in that is measured in everything. */
export const ALL_MEASURES: readonly Measure[] = MEASURES.filter((measure) => measure !== 'goals');

/** The tables of all measures, one under the other, in Markdown. */
export function connectionTable(rows: readonly ConnectionRow[]): string {
  return MEASURES.flatMap((measure) => {
    const own = rows.filter((row) => row.measure === measure);
    return own.length === 0 ? [] : [tableOf(measure, own)];
  }).join('\n\n');
}

function tableOf(measure: Measure, rows: readonly ConnectionRow[]): string {
  const headings = [...new Set(rows.flatMap(({ figures }) => Object.keys(figures)))];
  const lines = rows.map(({ name, figures }) => `| ${[name, ...headings.map((heading) => cellText(figures[heading]))].join(' | ')} |`);
  return [`| ${[measure, ...headings].join(' | ')} |`, `|${'---|'.repeat(headings.length + 1)}`, ...lines].join('\n');
}

function cellText(value: number | string | null | undefined): string {
  if (value === undefined) return '';
  if (value === null) return 'never';
  return typeof value === 'string' ? value : value.toLocaleString('en-US');
}
