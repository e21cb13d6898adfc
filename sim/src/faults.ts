/** Faults to plant (plant.ts): each breaks one decision in the product's source, and names the property that must find it. */

import type { Property } from './properties.ts';

export interface Fault {
  readonly name: string;
  /** What is wrong with it, and which clause or decision it breaks. */
  readonly breaks: string;
  /** From the repository's root. */
  readonly file: string;
  /** Must be in the file exactly once. */
  readonly find: string;
  readonly replace: string;
  readonly property: Property;
}

export const FAULTS: readonly Fault[] = [];
