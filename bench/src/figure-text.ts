/** How tables show a figure. */

/** At least two digits, thousands with commas. */
export function formatFigure(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(2);
}
