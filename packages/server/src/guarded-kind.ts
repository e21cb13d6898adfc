/**
 * A kind whose faults stay its own: the sequencer and the cursors call it in the middle of what must not be interrupted.
 * What `admit` throws refuses its publish as retryable, as with any hook; an entry of which `isVisible` cannot say whether
 * it may be seen is not seen.
 */

import { HoldfastError } from '@holdfast/wire';
import type { Admission, Kind } from './kind.ts';
import type { Entry, Payload } from './store.ts';
import type { Identity } from './rights.ts';

/** `refusalOf` turns anything thrown into a refusal, and reports it to the operator if it is none. */
export function guardedKind(kind: Kind, refusalOf: (error: unknown) => HoldfastError): Kind {
  return {
    name: kind.name,
    ...(kind.admit === undefined ? {} : { admit: (admission: Admission) => admit(kind, admission, refusalOf) }),
    ...(kind.isVisible === undefined ? {} : { isVisible: (entry: Entry, viewer: Identity) => isVisible(kind, entry, viewer, refusalOf) }),
  };
}

function admit(
  kind: Kind,
  admission: Admission,
  refusalOf: (error: unknown) => HoldfastError,
): HoldfastError | readonly Payload[] | undefined {
  try {
    const admitted = kind.admit?.(admission);
    if (admitted === undefined || admitted instanceof HoldfastError || isPayloads(admitted)) return admitted;
    throw new TypeError(`the kind "${kind.name}" must admit one payload or more, each JSON text or bytes`);
  } catch (error) {
    return refusalOf(error);
  }
}

function isVisible(kind: Kind, entry: Entry, viewer: Identity, refusalOf: (error: unknown) => HoldfastError): boolean {
  try {
    return kind.isVisible?.(entry, viewer) !== false;
  } catch (error) {
    refusalOf(error);
    return false;
  }
}

function isPayloads(payloads: unknown): payloads is readonly Payload[] {
  return (
    Array.isArray(payloads) &&
    payloads.length > 0 &&
    payloads.every((payload) => typeof payload === 'string' || payload instanceof Uint8Array)
  );
}
