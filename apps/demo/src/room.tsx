/** The room: everything that the session knows, put in its place. */

import { useCallback, useMemo, useRef, useState, type ReactNode } from 'react';
import { Composer } from './composer.tsx';
import { Mark } from './icons.tsx';
import { LinkBar } from './link-bar.tsx';
import { MessageList } from './message-list.tsx';
import { Faces, People } from './people.tsx';
import type { Session } from './session.ts';
import { streamOf, type RowKeys } from './stream.ts';
import { tallyOf } from './tally.ts';
import { TallyStrip } from './tally-strip.tsx';
import { typingWords } from './typing.ts';
import { useObservable } from './use-observable.ts';

export function Room({ session, onLeave }: { readonly session: Session; readonly onLeave: () => void }): ReactNode {
  const { room, name } = session;
  const status = useObservable(session.status);
  const isPulled = useObservable(session.isPulled);
  const view = useObservable(session.view);
  const rows = useObservable(session.rows);
  const members = useObservable(session.members);
  const refusal = useObservable(session.refusal);
  const cutCount = useObservable(session.cutCount);
  const [draft, setDraft] = useState('');
  const [isSideOpen, setIsSideOpen] = useState(false);

  const rowKeys = useRef<RowKeys>(new Map());
  const items = useMemo(() => streamOf(view, rows, name, rowKeys.current), [view, rows, name]);
  const tally = useMemo(() => tallyOf(view), [view]);
  const names = useMemo(() => [...new Set(members.map(({ subject }) => subject))], [members]);
  const sendAgain = useCallback((rowId: number) => session.sendAgain(rowId), [session]);
  const discard = useCallback((rowId: number) => session.discard(rowId), [session]);
  const { older, isLoading } = useOlder(session);

  return (
    <div className="room">
      <header className="bar">
        <div>
          <p className="brand">
            <Mark /> Holdfast
          </p>
          <h1>
            <bdi>#{room}</bdi>
          </h1>
        </div>
        <button
          type="button"
          aria-expanded={isSideOpen}
          aria-controls="side"
          aria-label={peopleWords(names.length)}
          onClick={() => setIsSideOpen(!isSideOpen)}
        >
          <Faces names={names.length === 0 ? [name] : names} />
        </button>
      </header>
      <LinkBar
        state={status}
        isPulled={isPulled}
        onPull={() => session.pull()}
        onPutBack={() => session.putBack()}
        onRetry={() => session.retryNow()}
      />
      <aside
        id="side"
        className="side"
        aria-label="People"
        data-open={isSideOpen}
        onKeyDown={(event) => {
          if (event.key === 'Escape') setIsSideOpen(false);
        }}
      >
        <People room={room} me={name} names={names} isNow={status.phase === 'open'} onLeave={onLeave} />
      </aside>
      <div className="talk">
        <MessageList
          room={room}
          items={items}
          isReady={view.phase !== 'loading'}
          hasMore={view.hasMore}
          isLoading={isLoading}
          onOlder={older}
          onSendAgain={sendAgain}
          onDiscard={discard}
        />
        <div className="foot">
          {refusal !== undefined && (
            <p className="refusal" role="alert">
              <span>
                Not sent: <q dir="auto">{refusal.text}</q> {refusal.reason}
              </span>
              <button
                type="button"
                onClick={() => {
                  setDraft(refusal.text);
                  session.refusal.set(undefined);
                }}
              >
                Edit
              </button>
            </p>
          )}
          <Typing session={session} />
          <Composer
            room={room}
            draft={draft}
            onDraft={(next) => {
              setDraft(next);
              session.drafted(next.trim() === '');
            }}
            onSend={(text) => {
              setDraft('');
              session.send(text);
            }}
          />
        </div>
      </div>
      <TallyStrip tally={tally} cutCount={cutCount} />
    </div>
  );
}

function Typing({ session }: { readonly session: Session }): ReactNode {
  const words = typingWords(useObservable(session.typists));
  return (
    <p className="typing" role="status">
      {words !== '' && (
        <>
          <i aria-hidden="true" />
          <span dir="auto">{words}</span>
        </>
      )}
    </p>
  );
}

/** One page of older entries at a time. */
function useOlder(session: Session): { readonly older: () => void; readonly isLoading: boolean } {
  const [isLoading, setIsLoading] = useState(false);
  const older = useCallback(() => {
    setIsLoading(true);
    void session.loadOlder().finally(() => setIsLoading(false));
  }, [session]);
  return { older, isLoading };
}

function peopleWords(count: number): string {
  if (count === 0) return 'People';
  return count === 1 ? '1 person here' : `${count} people here`;
}
