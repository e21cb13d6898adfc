/** The steps of `holdfast doctor` in their order, each on the ground that the one before has won. */

import { SUBPROTOCOL } from '@holdfast/server';
import { examineAddresses, examineName } from './doctor-address.ts';
import { isSwitched, observeRefusal, observeSwitch } from './doctor-answer.ts';
import { examineHoldfast } from './doctor-holdfast.ts';
import { examinePlain } from './doctor-plain.ts';
import { observeEnvironment, observeTraces, proxyTraces } from './doctor-proxy.ts';
import { end, failed, ok, warning, type Observation, type Outcome, type Report } from './doctor-report.ts';
import { observeTarget } from './doctor-target.ts';
import { examineTls } from './doctor-tls.ts';
import { headerValues, requestUpgrade, type HttpAnswer, type UpgradeAnswer } from './doctor-upgrade.ts';
import type { Order, Route, World } from './doctor-world.ts';

/** Examines, and reports each finding as it comes. */
export async function examine(order: Order, world: World, report: Report): Promise<void> {
  const { target, secrets } = order;
  for (const one of observeTarget(target, order.origin, secrets)) report.add('url', one);
  for (const one of observeEnvironment(target, world)) report.add('environment', one);
  const addresses = await report.run('dns', () => examineName(target, world));
  if (addresses === undefined) return;
  const address = await report.run('tcp', () => examineAddresses(target, addresses, order.waitMs));
  if (address === undefined) return;
  const route: Route = { ...address, target };
  if (target.isTls && (await report.run('tls', () => examineTls(route, order.waitMs, world))) === undefined) return;
  const opening = new Opening(order, route, world);
  const upgraded = await report.run('upgrade', () => opening.examine());
  for (const one of observeTraces(opening.traces)) report.add('via', one);
  if (upgraded === undefined) return;
  const { isHoldfast, subprotocol, answer } = upgraded;
  report.add('subprotocol', observeSubprotocol(upgraded, order));
  await report.run('compression', () => opening.examineCompression(upgraded));
  const { kind } = proxyTraces(answer.headers);
  // What a client would give up at is not gone on with.
  if (!isHoldfast && !order.isPlain && order.subprotocol !== undefined && subprotocol === undefined) return;
  if (isHoldfast) await examineHoldfast(order, route, world, kind, report);
  else await examinePlain({ order, route, world, subprotocol, kind }, report);
}

interface Upgraded {
  readonly answer: HttpAnswer;
  readonly isHoldfast: boolean;
  /** What the server selects, and the next connection offers. */
  readonly subprotocol: string | undefined;
  readonly offered: string | undefined;
}

/** The upgrades by hand. */
class Opening {
  readonly #order: Order;
  readonly #route: Route;
  readonly #world: World;
  #first: UpgradeAnswer | undefined;

  constructor(order: Order, route: Route, world: World) {
    this.#order = order;
    this.#route = route;
    this.#world = world;
  }

  /** Of the first answer. */
  get traces(): ReturnType<typeof proxyTraces> {
    return proxyTraces(this.#first?.kind === 'http' ? this.#first.headers : []);
  }

  async examine(): Promise<Outcome<Upgraded>> {
    const { isPlain, subprotocol: wanted, origin } = this.#order;
    const offered = wanted ?? (isPlain ? undefined : SUBPROTOCOL);
    const answer = await this.#ask(offered, origin);
    this.#first = answer;
    const asked = { order: this.#order, subprotocol: offered, origin };
    if (isSwitched(answer)) return this.#switched(answer, offered);
    if (answer.kind === 'http' && answer.status >= 400 && answer.status < 500) {
      if (wanted === undefined && offered !== undefined) {
        const without = await this.#ask(undefined, origin);
        if (isSwitched(without)) return this.#switched(without, undefined);
      }
      if (answer.status === 403 && origin !== undefined && isSwitched(await this.#ask(offered, undefined)))
        return end(
          failed(`HTTP 403 for the origin ${origin}, and none without an origin`, 'Add the origin to those that the server allows.'),
        );
    }
    return end(observeRefusal(answer, asked));
  }

  /** Browsers offer compression always; whether it is taken up shows only then. */
  async examineCompression({ offered, isHoldfast }: Upgraded): Promise<Outcome<true>> {
    const answer = await this.#ask(offered, this.#order.origin, true);
    if (!isSwitched(answer)) {
      const again = observeRefusal(answer, { order: this.#order, subprotocol: offered, origin: this.#order.origin });
      return end({ ...again, text: `an upgrade as browsers ask for it, with compression offered: ${again.text}` });
    }
    const taken = headerValues(answer, 'sec-websocket-extensions').join(', ');
    if (taken === '') return end(ok('off, also when it is offered'));
    const shown = this.#order.secrets.quote(taken);
    if (!isHoldfast) return end(ok(`on when it is offered (${shown})`, { extensions: shown }));
    return end(
      warning(
        `something on the way takes compression up (${shown}), which a Holdfast server never does`,
        'Switch it off there: it costs memory per connection.',
      ),
    );
  }

  #switched(answer: HttpAnswer, offered: string | undefined): Outcome<Upgraded> {
    const observations = observeSwitch(answer, { order: this.#order, subprotocol: offered, origin: this.#order.origin });
    if (observations.some(({ verdict }) => verdict === 'failed')) return { observations };
    const selected = headerValues(answer, 'sec-websocket-protocol')[0];
    return { observations, value: { answer, offered, subprotocol: selected, isHoldfast: selected === SUBPROTOCOL } };
  }

  #ask(subprotocol: string | undefined, origin: string | undefined, isCompressing = false): Promise<UpgradeAnswer> {
    return requestUpgrade({ order: this.#order, route: this.#route, world: this.#world, subprotocol, origin, isCompressing });
  }
}

/** Browsers give up where they offered one and none is selected. */
function observeSubprotocol({ subprotocol, offered }: Upgraded, { isPlain, subprotocol: wanted }: Order): Observation {
  if (subprotocol !== undefined) return ok(`the server selected ${subprotocol}`, { subprotocol });
  if (wanted !== undefined)
    return failed(
      `the server did not select ${wanted}, and browsers give up then`,
      'Let the server select it; where it does, something on the way removes Sec-WebSocket-Protocol.',
    );
  if (isPlain) return ok('none was offered, and none selected');
  const how =
    offered === undefined
      ? `the server refuses ${SUBPROTOCOL}, and takes connections without it`
      : `the server did not select ${SUBPROTOCOL}`;
  return warning(
    `${how}: it is examined as a plain WebSocket server`,
    'If it is a Holdfast server, check the path, and proxies that remove Sec-WebSocket-Protocol; else say --plain.',
  );
}
