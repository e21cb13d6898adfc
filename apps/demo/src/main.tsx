/** The page's beginning. */

import { createRoot } from 'react-dom/client';
import { App } from './app.tsx';
import { openSession } from './session.ts';
import { readVisit } from './visit.ts';

const visit = readVisit(location.search, localStorage);
document.title = `#${visit.room} on Holdfast`;
createRoot(document.querySelector('#root')!).render(<App visit={visit} open={openSession} />);
