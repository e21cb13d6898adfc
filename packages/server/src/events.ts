/** What a hub tells its operator as it happens: for logs. Never a token, never a payload. */

import type { ErrorCode } from '@holdfast/wire';
import type { Action } from './rights.ts';
import type { LimitName } from './node-limits.ts';

/** Which connection, and as far as it is known whose. */
export interface ConnectionFacts {
  readonly session: string;
  readonly address: string;
  readonly path: string;
  readonly subject?: string;
  readonly client?: string;
}

export type HubEvent =
  /** It is known who it is. */
  | ({ readonly type: 'welcomed' } & ConnectionFacts)
  /** `reason` is the code behind the close code, if the server closed it. */
  | ({ readonly type: 'closed'; readonly code: number; readonly reason: string; readonly durationMs: number } & ConnectionFacts)
  /** A connection was not let in, or may not do something. */
  | ({
      readonly type: 'refused';
      readonly code: ErrorCode;
      readonly message: string;
      readonly action?: Action | 'connect';
    } & ConnectionFacts)
  /** A limit was reached. Told at most once a second for each limit and connection. */
  | ({ readonly type: 'limited'; readonly limit: LimitName; readonly key: string } & Partial<ConnectionFacts>)
  | { readonly type: 'draining'; readonly reason: string; readonly connections: number }
  /** Credentials were taken back. */
  | { readonly type: 'disconnected'; readonly subject?: string; readonly credentialId?: string; readonly connections: number };
