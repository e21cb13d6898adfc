/** The cable between you, on the left, and the server: what is not delivered yet sits on your half as beads. */

import type { ReactNode } from 'react';

const BEADS_MAX = 12;

export function Cable({ isJoined, waitingCount }: { readonly isJoined: boolean; readonly waitingCount: number }): ReactNode {
  const beads = Array.from({ length: Math.min(waitingCount, BEADS_MAX) }, (_, index) => <i key={index} />);
  return (
    <div className="cable" data-joined={isJoined} aria-hidden="true">
      <b>you</b>
      <span className="wire wire-mine">{beads}</span>
      <span className="plug" />
      <span className="socket" />
      <span className="wire" />
      <b>server</b>
    </div>
  );
}
