/** The connection: its state in words, the cable, and the plug to pull. */

import { useEffect, useState, type ReactNode } from 'react';
import { Cable } from './cable.tsx';
import { linkWords, type LinkState } from './link-words.ts';

export interface LinkBarProps {
  readonly state: LinkState;
  readonly isPulled: boolean;
  readonly onPull: () => void;
  readonly onPutBack: () => void;
  readonly onRetry: () => void;
}

export function LinkBar({ state, isPulled, onPull, onPutBack, onRetry }: LinkBarProps): ReactNode {
  const nowMs = useNow(state.phase === 'waiting' && !isPulled);
  const { tone, headline, detail, spoken } = linkWords(state, isPulled, nowMs);
  const isJoined = !isPulled && state.phase === 'open';
  return (
    <section className="link" data-tone={tone} aria-label="Connection">
      <p className="link-words">
        <strong aria-hidden="true">{headline}</strong>
        {!isPulled && isLost(state) && (
          <button type="button" onClick={onRetry}>
            Try now
          </button>
        )}
        <span aria-hidden="true">{detail}</span>
      </p>
      <p className="unseen" role="status">
        {spoken}
      </p>
      <button type="button" className={isPulled ? 'primary' : ''} onClick={isPulled ? onPutBack : onPull}>
        {isPulled ? 'Plug in' : 'Pull the plug'}
      </button>
      <Cable isJoined={isJoined} waitingCount={state.queuedCount} />
    </section>
  );
}

/** There was a connection, or there should have been one. */
function isLost({ phase, attempt }: LinkState): boolean {
  return phase === 'closed' || phase === 'waiting' || phase === 'offline' || (phase === 'connecting' && attempt > 0);
}

/** The time, anew four times a second while it is needed. */
function useNow(isNeeded: boolean): number {
  const [nowMs, setNowMs] = useState(() => Date.now());
  useEffect(() => {
    if (!isNeeded) return;
    setNowMs(Date.now());
    const timer = setInterval(() => setNowMs(Date.now()), 250);
    return () => clearInterval(timer);
  }, [isNeeded]);
  return nowMs;
}
