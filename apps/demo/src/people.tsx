/** Who is here, and how to be here twice. */

import type { ReactNode } from 'react';
import { Avatar } from './avatar.tsx';
import { Out } from './icons.tsx';
import { secondWindow } from './visit.ts';

/** The row of avatars in the bar, which opens the list on a small screen. */
export function Faces({ names }: { readonly names: readonly string[] }): ReactNode {
  const shown = names.slice(0, 3);
  return (
    <span className="faces">
      {shown.map((name) => (
        <Avatar key={name} name={name} />
      ))}
      {names.length > shown.length && <span className="faces-more">+{names.length - shown.length}</span>}
    </span>
  );
}

export interface PeopleProps {
  readonly room: string;
  readonly me: string;
  readonly names: readonly string[];
  /** Whether that is true at this moment. */
  readonly isNow: boolean;
  readonly onLeave: () => void;
}

export function People({ room, me, names, isNow, onLeave }: PeopleProps): ReactNode {
  return (
    <>
      <h2>{isNow ? 'Here now' : 'Here when the connection was lost'}</h2>
      <ul className="people">
        {names.map((name) => (
          <li key={name}>
            <Avatar name={name} />
            <bdi>{name}</bdi>
            {name === me && <span className="you">you</span>}
          </li>
        ))}
        {names.length === 0 && <li className="nobody">Nobody can be seen without a connection.</li>}
      </ul>
      <h2>Try it</h2>
      <ol className="steps">
        <li>Open a second window.</li>
        <li>Pull the plug in this one and write a few messages.</li>
        {isSecureContext && <li>Reload this page, if you like.</li>}
        <li>Plug in: each arrives once, in the order it was written.</li>
      </ol>
      <div className="side-actions">
        <a className="button" href={secondWindow(room, [...names, me])} target="_blank" rel="noopener">
          Open a second window <Out />
        </a>
        <button type="button" onClick={onLeave}>
          Change name
        </button>
      </div>
    </>
  );
}
