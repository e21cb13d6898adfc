/** Where one writes. Enter sends, Shift and Enter begins a new line. */

import { useLayoutEffect, useRef, type ReactNode } from 'react';
import { Send } from './icons.tsx';

const TEXT_LENGTH_MAX = 4_000;

export interface ComposerProps {
  readonly room: string;
  readonly draft: string;
  readonly onDraft: (draft: string) => void;
  readonly onSend: (text: string) => void;
}

export function Composer({ room, draft, onDraft, onSend }: ComposerProps): ReactNode {
  const field = useRef<HTMLTextAreaElement>(null);
  const text = draft.trim();
  const send = (): void => {
    if (text !== '') onSend(text);
    field.current?.focus();
  };

  // As high as its text, up to the bound in the style sheet.
  useLayoutEffect(() => {
    const { current } = field;
    if (current === null) return;
    current.style.height = 'auto';
    current.style.height = `${current.scrollHeight}px`;
  }, [draft]);

  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <textarea
        ref={field}
        rows={1}
        value={draft}
        maxLength={TEXT_LENGTH_MAX}
        dir="auto"
        enterKeyHint="send"
        aria-label={`Message to ${room}`}
        placeholder="Message"
        onChange={(event) => onDraft(event.target.value)}
        onKeyDown={(event) => {
          // While a word is being composed (Japanese, Chinese, ...) Enter belongs to the input method.
          if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return;
          event.preventDefault();
          send();
        }}
      />
      <button type="submit" className="primary send" aria-label="Send" disabled={text === ''}>
        <Send />
      </button>
    </form>
  );
}
