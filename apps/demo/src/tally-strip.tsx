/** The count that shows that nothing is lost. */

import type { ReactNode } from 'react';
import type { Tally } from './tally.ts';

export function TallyStrip({ tally, cutCount }: { readonly tally: Tally; readonly cutCount: number }): ReactNode {
  const { received, duplicates, missing, cut, firstOffset, lastOffset } = tally;
  const range = firstOffset === undefined ? 'No entries yet' : `Offsets ${firstOffset} to ${lastOffset}`;
  return (
    <dl className="tally" title={`${range}, counted from the offsets of what is on this page`}>
      <Count label="received" value={received} />
      <Count label="duplicates" value={duplicates} isBad={duplicates > 0} />
      <Count label="missing" value={missing} isBad={missing > 0} />
      {cut > 0 && <Count label="cut from history" value={cut} />}
      <Count label={cutCount === 1 ? 'cut survived' : 'cuts survived'} value={cutCount} />
    </dl>
  );
}

function Count({ label, value, isBad = false }: { readonly label: string; readonly value: number; readonly isBad?: boolean }): ReactNode {
  return (
    <div data-bad={isBad}>
      <dt>{label}</dt>
      <dd>{value}</dd>
    </div>
  );
}
