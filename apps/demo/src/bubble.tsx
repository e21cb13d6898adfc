/** One message, and what became of it. */

import { memo, type ReactNode } from 'react';
import { Avatar } from './avatar.tsx';
import { Clock, Tick, Warning } from './icons.tsx';
import type { Message, MessageState } from './stream.ts';

const STATE_WORDS: Readonly<Record<MessageState, string>> = {
  waiting: 'waiting to be sent',
  stored: 'delivered',
  uncertain: 'may not have arrived',
};

const TIME = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });

export interface BubbleProps {
  readonly message: Message;
  readonly onSendAgain: (rowId: number) => void;
  readonly onDiscard: (rowId: number) => void;
}

export const Bubble: React.NamedExoticComponent<BubbleProps> = memo(function Bubble({
  message,
  onSendAgain,
  onDiscard,
}: BubbleProps): ReactNode {
  const { text, from, at, isMine, state, rowId, isFirst, isLast } = message;
  return (
    <div className="message" data-mine={isMine} data-state={state} data-first={isFirst} data-last={isLast}>
      {!isMine && isLast && <Avatar name={from} />}
      <div className="bubble">
        {isFirst && (
          <h3 className={isMine ? 'unseen' : 'from'}>
            <bdi>{isMine ? 'You' : from}</bdi>
          </h3>
        )}
        <p className="text" dir="auto">
          {text}
        </p>
        <p className="meta">
          <time dateTime={new Date(at).toISOString()}>{TIME.format(at)}</time>
          {isMine && (
            <>
              {state === 'waiting' ? <Clock /> : state === 'stored' ? <Tick /> : <Warning />}
              <span className="unseen">{STATE_WORDS[state]}</span>
            </>
          )}
        </p>
      </div>
      {state === 'uncertain' && rowId !== undefined && (
        <div className="doubt">
          <p>The server cannot say whether it has this one.</p>
          <button type="button" onClick={() => onSendAgain(rowId)}>
            Send again
          </button>
          <button type="button" onClick={() => onDiscard(rowId)}>
            Discard
          </button>
        </div>
      )}
    </div>
  );
}, isSame);

/** The stream's items are made anew at every change; most of them say what they said before. */
function isSame(a: BubbleProps, b: BubbleProps): boolean {
  const keys = Object.keys(a.message) as (keyof Message)[];
  return a.onSendAgain === b.onSendAgain && a.onDiscard === b.onDiscard && keys.every((key) => a.message[key] === b.message[key]);
}
