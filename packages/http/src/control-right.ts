/**
 * Who may control a server over HTTP. Two things are asked, since neither is enough: that it is a back end, because a user's
 * own rights often say "everything"; and the right to `call` the method `holdfast/...`, because not every back end may do all.
 */

import { HoldfastError } from '@holdfast/wire';
import type { RouteContext } from './route.ts';

export type Control = 'tickets' | 'revocations' | 'disconnections' | 'rechecks' | 'topics';

/** Rejects with `FORBIDDEN`, or with what the hook threw. */
export async function assertControl({ hub, endpoint, identity, isBackEnd }: RouteContext, control: Control): Promise<void> {
  if (!isBackEnd(identity)) {
    throw new HoldfastError('FORBIDDEN', `"${identity.subject}" is no back end`, { hint: 'Use an API key.' });
  }
  const question = { identity, action: 'call', topic: `holdfast/${control}` } as const;
  await hub.services.inTime(`authorize (call "holdfast/${control}")`, Promise.resolve(endpoint.ask(question, hub.services.clock)));
}
