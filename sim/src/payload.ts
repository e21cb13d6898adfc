/** Payloads that say whose they are: each is in the world once, so that finding one twice or nowhere proves something. */

import type { Data } from '@holdfast/wire';

/** What is in a payload. */
export interface Content {
  /** Device, publish and place within it: `phone2/17.0`. */
  readonly id: string;
  /** The subject that may not see it. */
  readonly hiddenFrom?: string;
  /** The server's hook refuses it. */
  readonly isRefused?: boolean;
  readonly padding: string;
}

/** As JSON, or as bytes that hold the same. */
export function payloadOf(content: Content, asBytes: boolean): Data {
  return asBytes ? new TextEncoder().encode(JSON.stringify(content)) : { ...content };
}

/** The inverse, from what a store, a hook or a consumer holds. */
export function contentOf(payload: Data): Content {
  if (payload instanceof Uint8Array) return JSON.parse(new TextDecoder().decode(payload)) as Content;
  return (typeof payload === 'string' ? JSON.parse(payload) : payload) as Content;
}
