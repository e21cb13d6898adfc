/** Step idle of `holdfast doctor`: whether a connection on which nothing is said holds, and who ends it if not. */

import { closeText, type ChannelEvent } from './doctor-channel.ts';
import type { ProxyKind } from './doctor-proxy.ts';
import { durationText, failed, ok, type Observation } from './doctor-report.ts';

export interface IdleTime {
  /** How long nothing was to be said, ms. */
  readonly idleMs: number;
  /** How it ended; `undefined`: it held. */
  readonly closed: (ChannelEvent & { readonly kind: 'closed' }) | undefined;
  readonly afterMs: number;
  readonly kind: ProxyKind | undefined;
  /** Of a server that has one: what came of it meanwhile. */
  readonly heartbeat?: { readonly beats: number; readonly intervalMs: number };
}

/** What is beyond a break after nothing was said. */
export function observeIdle({ idleMs, closed, afterMs, kind, heartbeat }: IdleTime, quote: (text: string) => string): Observation {
  if (closed === undefined) {
    const beats =
      heartbeat === undefined ? '' : heartbeat.beats === 0 ? ', before any heartbeat' : `, with ${heartbeat.beats} of its heartbeats`;
    return ok(`the connection held ${durationText(idleMs)} in which nothing was said${beats}`, { idleMs });
  }
  const facts = { afterMs: Math.round(afterMs), closeCode: closed.code };
  const text = `the connection ended after ${durationText(afterMs)} in which nothing was said (${closeText(closed, quote)})`;
  // A server that wants to end it says so in a close frame; what is in between cannot.
  if (closed.code !== 1006) return failed(text, 'The server ended it itself: the code says why, and its log may say more.', facts);
  const mend =
    kind?.idle ?? 'A proxy, load balancer or firewall on the way ends idle connections: raise its idle timeout above the heartbeat.';
  return failed(text, heartbeat === undefined ? `${mend} Or let the client send pings more often.` : mend, facts);
}
