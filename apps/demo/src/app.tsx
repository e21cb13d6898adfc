/** Either the question who you are, or the room. */

import { useState, type ReactNode } from 'react';
import { Arrival } from './arrival.tsx';
import { Room } from './room.tsx';
import type { Session } from './session.ts';
import { keepName, type Visit } from './visit.ts';

export interface AppProps {
  readonly visit: Visit;
  readonly open: (name: string, room: string) => Session;
}

export function App({ visit, open }: AppProps): ReactNode {
  const { room } = visit;
  const [session, setSession] = useState(() => (visit.name === undefined ? undefined : open(visit.name, room)));
  const [suggestion, setSuggestion] = useState('');

  if (session === undefined) {
    return (
      <Arrival
        room={room}
        suggestion={suggestion}
        onArrive={(name) => {
          keepName(name, localStorage);
          // A name in the address would come back at the next reload.
          history.replaceState(null, '', `?${new URLSearchParams({ room }).toString()}`);
          setSession(open(name, room));
        }}
      />
    );
  }
  return (
    <Room
      session={session}
      onLeave={() => {
        void session.close();
        setSuggestion(session.name);
        setSession(undefined);
      }}
    />
  );
}
