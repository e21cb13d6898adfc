/** Small drawings in the colour of their text. They carry no meaning of their own: each stands beside words. */

import type { ReactNode } from 'react';

function icon(drawing: ReactNode): () => ReactNode {
  return () => (
    <svg
      className="icon"
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth="2"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      {drawing}
    </svg>
  );
}

/** The mark: what kelp holds on to the rock with. */
export const Mark = icon(<path d="M12 3v8M12 11c0 4.500-2 7.500-7 9M12 11c0 4.500 2 7.500 7 9M12 11v10" />);
export const Clock = icon(
  <>
    <circle cx="12" cy="12" r="8.500" />
    <path d="M12 7.500V12l3 2" />
  </>,
);
export const Tick = icon(<path d="m5 12.500 4.500 4.500L19 7.500" />);
export const Warning = icon(
  <>
    <path d="M12 4 2.800 19.500h18.400Z" />
    <path d="M12 10v4.500M12 17v.100" />
  </>,
);
export const Send = icon(<path d="M12 20V5M5.500 11.500 12 5l6.500 6.500" />);
export const Down = icon(<path d="M12 5v14M5.500 12.500 12 19l6.500-6.500" />);
export const Out = icon(
  <path d="M14 5h5v5M19 5l-8 8M11 6H6.500A1.500 1.500 0 0 0 5 7.500v10A1.500 1.500 0 0 0 6.500 19h10a1.500 1.500 0 0 0 1.500-1.500V13" />,
);
