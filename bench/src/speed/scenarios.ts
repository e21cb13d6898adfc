/** Every scenario, by name. */

import { CONNECTIONS } from './connections.ts';
import { REQUESTS } from './requests.ts';
import { RETURNING_SCENARIOS } from './returning.ts';
import { ROOMS } from './rooms.ts';
import type { Scenario } from './scenario.ts';
import { UPDATES } from './updates.ts';

export const SCENARIOS: readonly Scenario[] = [...ROOMS, ...REQUESTS, ...CONNECTIONS, ...RETURNING_SCENARIOS, UPDATES];
