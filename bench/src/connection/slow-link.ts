/**
 * Links that are slow but sound, with a heartbeat that is faster than one message takes: whoever gives them up pays for the
 * same bytes again, and may never get through.
 */

import type { Contender } from './contender.ts';
import { withLines } from './line.ts';
import { LOOK_MS, pause } from './moment.ts';
import type { ConnectionRow } from './row.ts';

export interface SlowLinkPlan {
  readonly heartbeatMs: number;
  readonly cases: readonly SlowLinkCase[];
}

export interface SlowLinkCase {
  readonly name: string;
  readonly bytesPerSecond: number;
  readonly messageBytes: number;
  readonly messages: number;
}

/** How much longer than the bytes need is waited for them. */
const SLACK = 0.5;

export async function measureSlowLinks(contender: Contender, plan: SlowLinkPlan): Promise<ConnectionRow> {
  const parts = await Promise.all(plan.cases.map((one) => measureCase(contender, plan.heartbeatMs, one)));
  return { measure: 'slow link', name: contender.name, figures: { heartbeat: contender.heartbeat, ...Object.assign({}, ...parts) } };
}

async function measureCase(
  contender: Contender,
  heartbeatMs: number,
  { name, bytesPerSecond, messageBytes, messages }: SlowLinkCase,
): Promise<Record<string, number>> {
  const settings = { heartbeatMs, pushBytesMax: messageBytes };
  return withLines(contender, settings, 1, async ([line], server) => {
    const { caller, proxy } = line!;
    await pause(heartbeatMs);
    proxy.throttle(bytesPerSecond);
    const messageMs = (messageBytes / bytesPerSecond) * 1_000;
    for (let sent = 0; sent < messages; sent++) {
      await server.push(messageBytes);
      await pause(messageMs);
    }
    const untilMs = performance.now() + messages * messageMs * SLACK;
    while (caller.pushedCount < messages && performance.now() < untilMs) await pause(LOOK_MS);
    const drops = proxy.arrivalsMs.length - 1 + (caller.isConnected ? 0 : 1);
    return { [`${name}: dropped`]: drops, [`${name}: arrived of ${messages}`]: caller.pushedCount };
  });
}
