/** The first question: who are you? */

import { useState, type ReactNode } from 'react';
import { Cable } from './cable.tsx';
import { Mark } from './icons.tsx';
import { cleanName, NAME_LENGTH_MAX } from './visit.ts';

export function Arrival({
  room,
  suggestion,
  onArrive,
}: {
  readonly room: string;
  readonly suggestion: string;
  readonly onArrive: (name: string) => void;
}): ReactNode {
  const [draft, setDraft] = useState(suggestion);
  const name = cleanName(draft);
  return (
    <main className="arrival">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (name !== undefined) onArrive(name);
        }}
      >
        <p className="brand">
          <Mark /> Holdfast
        </p>
        <Cable isJoined={false} waitingCount={3} />
        <h1>A chat you can unplug</h1>
        <p>Write, cut the connection, go on writing. When it comes back, everything arrives: once each, in order.</p>
        <label htmlFor="name">Your name</label>
        <input
          id="name"
          value={draft}
          onChange={(event) => setDraft(event.target.value)}
          maxLength={NAME_LENGTH_MAX}
          dir="auto"
          autoComplete="nickname"
          autoFocus
        />
        <button type="submit" className="primary" disabled={name === undefined}>
          Enter <bdi>#{room}</bdi>
        </button>
      </form>
    </main>
  );
}
