/**
 * The room's stream. It stays at its end unless one scrolled up; older entries are put in above without moving what one
 * reads.
 */

import { useEffect, useLayoutEffect, useRef, useState, type ReactNode } from 'react';
import { Bubble } from './bubble.tsx';
import { Down } from './icons.tsx';
import type { Hole, StreamItem } from './stream.ts';

/** So near to an edge counts as at it, pixels. */
const NEAR_PX = 60;

export interface MessageListProps {
  readonly room: string;
  readonly items: readonly StreamItem[];
  /** Whether it is known what the log holds. */
  readonly isReady: boolean;
  readonly hasMore: boolean;
  readonly isLoading: boolean;
  readonly onOlder: () => void;
  readonly onSendAgain: (rowId: number) => void;
  readonly onDiscard: (rowId: number) => void;
}

export function MessageList(props: MessageListProps): ReactNode {
  const { room, items, isReady, hasMore, isLoading, onOlder, onSendAgain, onDiscard } = props;
  const list = useRef<HTMLDivElement>(null);
  const [isAtEnd, setIsAtEnd] = useState(true);
  const atEnd = useRef(true);
  useScrollPlace(list, items, atEnd);

  // Before all of the newest are there, nothing older is wanted.
  const mayLoad = isReady && hasMore && !isLoading;

  const onScroll = (): void => {
    const { scrollTop, scrollHeight, clientHeight } = list.current!;
    atEnd.current = scrollHeight - scrollTop - clientHeight < NEAR_PX;
    setIsAtEnd(atEnd.current);
    if (scrollTop < NEAR_PX && mayLoad) onOlder();
  };
  const toEnd = (): void => {
    list.current!.scrollTo({ top: list.current!.scrollHeight });
    list.current!.focus();
  };

  // A window higher than what was loaded has nothing to scroll.
  useEffect(() => {
    const { scrollHeight, clientHeight } = list.current!;
    if (scrollHeight <= clientHeight && mayLoad) onOlder();
  }, [items, mayLoad, onOlder]);

  return (
    <main className="stream">
      <div
        className="log"
        ref={list}
        onScroll={onScroll}
        role="log"
        aria-label={`Messages in ${room}`}
        aria-live={isReady && !isLoading ? 'polite' : 'off'}
        aria-busy={isLoading}
        tabIndex={0}
      >
        {hasMore ? (
          <button type="button" className="older" onClick={onOlder} disabled={isLoading}>
            {isLoading ? 'Loading' : 'Earlier messages'}
          </button>
        ) : (
          <Beginning room={room} isReady={isReady} />
        )}
        {items.map((item) => {
          if (item.kind === 'message') return <Bubble key={item.key} message={item} onSendAgain={onSendAgain} onDiscard={onDiscard} />;
          return item.kind === 'day' ? (
            <h2 key={item.key} className="day">
              {dayWords(item.at, Date.now())}
            </h2>
          ) : (
            <p key={item.key} className="gap">
              {gapWords(item)}
            </p>
          );
        })}
      </div>
      {!isAtEnd && (
        <button type="button" className="to-end" onClick={toEnd} aria-label="To the newest message">
          <Down />
        </button>
      )}
    </main>
  );
}

function Beginning({ room, isReady }: { readonly room: string; readonly isReady: boolean }): ReactNode {
  if (!isReady) return <p className="beginning">What was said before comes when you are connected.</p>;
  return (
    <p className="beginning">
      This is where <bdi>#{room}</bdi> begins.
    </p>
  );
}

/** Stays at the end, or keeps what is being read in its place when something is put in above. */
function useScrollPlace(list: React.RefObject<HTMLDivElement | null>, items: readonly StreamItem[], atEnd: React.RefObject<boolean>): void {
  const before = useRef({ firstKey: '', height: 0 });
  useLayoutEffect(() => {
    const element = list.current!;
    const firstKey = items.find(({ kind }) => kind === 'message')?.key ?? '';
    if (atEnd.current) element.scrollTop = element.scrollHeight;
    else if (firstKey !== before.current.firstKey) element.scrollTop += element.scrollHeight - before.current.height;
    before.current = { firstKey, height: element.scrollHeight };
  }, [list, items, atEnd]);

  // A keyboard that opens makes the list lower.
  useEffect(() => {
    const element = list.current!;
    const observer = new ResizeObserver(() => {
      if (atEnd.current) element.scrollTop = element.scrollHeight;
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [list, atEnd]);
}

const DAY = new Intl.DateTimeFormat('en', { weekday: 'long', day: 'numeric', month: 'long' });

function dayWords(at: number, nowMs: number): string {
  const date = new Date(at).toDateString();
  if (date === new Date(nowMs).toDateString()) return 'Today';
  const yesterday = new Date(nowMs);
  yesterday.setDate(yesterday.getDate() - 1);
  return date === yesterday.toDateString() ? 'Yesterday' : DAY.format(at);
}

function gapWords({ gap }: Hole): string {
  const { reason, before, after } = gap;
  switch (reason) {
    case 'retention':
      return `${after.offset - before.offset} entries were cut from history by the server before this.`;
    case 'floor':
      return 'What was said before this is not for you.';
    case 'epoch':
    case 'ahead':
      return 'The server began this room anew. What was said before is gone.';
  }
}
