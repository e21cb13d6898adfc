/** Every scenario, by name. */

import { ROOMS } from './rooms.ts';
import type { Scenario } from './scenario.ts';

export const SCENARIOS: readonly Scenario[] = [...ROOMS];
