/** A person's initials on a colour that is always the same for the same name. */

import type { ReactNode } from 'react';

/** The first letters of the first two words; characters that take two code units stay whole. */
function initialsOf(name: string): string {
  return name
    .split(/[\s._-]+/)
    .filter((word) => word !== '')
    .slice(0, 2)
    .map((word) => [...word][0]!.toLocaleUpperCase())
    .join('');
}

function hueOf(name: string): number {
  let sum = 7;
  for (const character of name) sum = (sum * 31 + character.codePointAt(0)!) % 100_003;
  return (sum * 47) % 360;
}

export function Avatar({ name }: { readonly name: string }): ReactNode {
  return (
    <span className="avatar" style={{ '--hue': hueOf(name) } as React.CSSProperties} aria-hidden="true">
      {initialsOf(name)}
    </span>
  );
}
