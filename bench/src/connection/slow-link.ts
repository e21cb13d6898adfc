/**
 * Links that are slow but sound, with a heartbeat that is faster than one message takes: whoever gives them up pays for the
 * same bytes again, and may never get through.
 */

import type { Contender } from './contender.ts';
import { withLines, type Line } from './line.ts';
import { LOOK_MS, pause } from './moment.ts';
import type { ConnectionRow } from './row.ts';

export interface SlowLinkPlan {
  readonly heartbeatMs: number;
  /** Of each kind, side by side. */
  readonly links: number;
  readonly cases: readonly SlowLinkCase[];
}

export interface SlowLinkCase {
  readonly name: string;
  readonly bytesPerSecond: number;
  readonly messageBytes: number;
  readonly messages: number;
}

/** How much longer than the bytes need is waited for them. */
const SLACK = 1;

export async function measureSlowLinks(contender: Contender, plan: SlowLinkPlan): Promise<ConnectionRow> {
  const parts = await Promise.all(plan.cases.map((one) => measureCase(contender, plan, one)));
  const figures = { heartbeat: contender.heartbeat, 'links of each': plan.links, ...Object.assign({}, ...parts) };
  return { measure: 'slow link', name: contender.name, figures };
}

async function measureCase(
  contender: Contender,
  { heartbeatMs, links }: SlowLinkPlan,
  { name, bytesPerSecond, messageBytes, messages }: SlowLinkCase,
): Promise<Record<string, number>> {
  const settings = { heartbeatMs, pushBytesMax: messageBytes };
  return withLines(contender, settings, links, async (lines, server) => {
    await pause(heartbeatMs);
    for (const { proxy } of lines) proxy.throttle(bytesPerSecond);
    const messageMs = (messageBytes / bytesPerSecond) * 1_000;
    for (let sent = 0; sent < messages; sent++) {
      await server.push(messageBytes);
      await pause(messageMs);
    }
    const untilMs = performance.now() + messages * messageMs * SLACK;
    const isAllThere = (): boolean => lines.every(({ caller }) => caller.pushedCount >= messages);
    while (!isAllThere() && performance.now() < untilMs) await pause(LOOK_MS);
    return {
      [`${name}: dropped, times`]: sum(lines, ({ caller, proxy }) => proxy.arrivalsMs.length - (caller.isConnected ? 1 : 0)),
      [`${name}: arrived of ${messages * links}`]: sum(lines, ({ caller }) => caller.pushedCount),
    };
  });
}

function sum(lines: readonly Line[], figure: (line: Line) => number): number {
  return lines.reduce((total, line) => total + figure(line), 0);
}
