/** The process that works: loads the packages with counters, carries out its orders, and tells who watches that it lives. */

import { register } from 'node:module';
import { AlarmBell } from './alarm-bell.ts';
import { BlackBox } from './black-box.ts';
import { Blocks } from './blocks.ts';
import type { Input } from './input.ts';
import { inputsOf, lineOf } from './input.ts';
import { scopeOf } from './scopes.ts';
import type { FailureReport, Figures, Orders, Report } from './orders.ts';

const BEAT_MS = 200;
const TRIALS_MAX = 600;

const orders = JSON.parse(process.argv[2]!) as Orders;
register('./hooks.js', import.meta.url, { data: { fault: orders.fault } });

function tell(report: Report): void {
  process.send!(report);
}

async function work(): Promise<void> {
  const blocks = new Blocks(scopeOf(orders.target));
  // Only now, so that what they import is instrumented.
  const [{ targetNamed }, { judge, runCampaign }, { shrink }] = await Promise.all([
    import('./targets.ts'),
    import('./campaign.ts'),
    import('./shrink.ts'),
  ]);
  const target = targetNamed(orders.target);
  const bell = new AlarmBell();
  const box = new BlackBox(orders.boxPath);
  const given = inputsOf(orders.lines.join('\n'));
  const inputsGiven = {
    target,
    seed: orders.seed,
    inputCount: orders.inputCount,
    durationMs: orders.durationMs,
    isGuided: orders.isGuided,
  };
  tell({ type: 'ready' });
  const beat = setInterval(() => tell({ type: 'beat' }), BEAT_MS);
  const onInput = (input: Input | undefined): void => (input === undefined ? box.clear() : box.add(input));
  const asked = (inputs: readonly Input[]): Promise<string | undefined> => judge(target, inputs, bell, onInput);
  let figures: Figures = {
    inputCount: given.length,
    durationMs: 0,
    blocksReached: 0,
    blocksTotal: 0,
    heapGrowthBytes: undefined,
    kept: [],
    modules: [],
  };
  let failure: FailureReport | undefined;
  if (orders.mode === 'judge') {
    const message = await asked(given);
    if (message !== undefined) failure = { message, lines: orders.lines, isShrunk: false };
  } else {
    const outcome = await runCampaign({ ...inputsGiven, corpus: given, bell, blocks, onInput });
    const { inputCount, durationMs, heapGrowthBytes } = outcome;
    const counted = { blocksReached: blocks.reached, blocksTotal: blocks.total, modules: blocks.byModule() };
    figures = { inputCount, durationMs, heapGrowthBytes, kept: outcome.kept.map(lineOf), ...counted };
    if (outcome.failure !== undefined) {
      const { message, inputs } = outcome.failure;
      box.clear();
      const small = inputs.length === 0 ? undefined : await shrink(inputs, { judge: asked, trialsMax: TRIALS_MAX, message });
      failure = { message, lines: (small ?? inputs).map(lineOf), isShrunk: small !== undefined };
    }
  }
  clearInterval(beat);
  box.close();
  tell({ type: 'done', figures, ...(failure === undefined ? {} : { failure }) });
  process.disconnect();
}

await work();
// What a broken target left open does not keep it.
setTimeout(() => process.exit(), 1_000).unref();
