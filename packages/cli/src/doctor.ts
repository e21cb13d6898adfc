/** `holdfast doctor`: says in plain words why a WebSocket connection does not come about, or does not hold. */

import { defineCommand, type Command } from './command.ts';
import { examine } from './doctor-examination.ts';
import { findingText, Report, summaryText, type Finding } from './doctor-report.ts';
import { Secrets } from './doctor-secrets.ts';
import { parseOrigin, parseTarget } from './doctor-target.ts';
import { machine, type Order, type World } from './doctor-world.ts';
import { UsageError } from './failure.ts';
import { countOption, flag, textOption } from './option.ts';
import { version } from './version.ts';

const WAIT_S = 10;
const IDLE_S = 3;
const PINGS = 10;

const OPTIONS = {
  token: textOption(
    'TOKEN',
    'who this is, for "hello" (default: $HOLDFAST_TOKEN, or nobody);\nwith --plain: the header "Authorization: Bearer TOKEN"',
  ),
  subprotocol: textOption('NAME', 'offer this one instead of holdfast.v1'),
  plain: flag('expect a WebSocket server of any kind, and offer no subprotocol'),
  origin: textOption('ORIGIN', 'connect as a page of this origin would, such as https://app.example.com'),
  seconds: countOption('N', `wait so long for each answer (default ${WAIT_S})`, 1, 600),
  pings: countOption('N', `measure so many round trips (default ${PINGS})`, 1, 1_000),
  idle: countOption('SECONDS', `see whether the connection holds while nothing is said\n(default ${IDLE_S}; 0: leave that out)`, 0, 86_400),
  large: flag('send a frame as large as it may be; to a plain server, 64 KiB of text'),
  json: flag('one JSON object at the end instead of lines, for a support ticket'),
};

/** What was asked for beside the address; its defaults are in the help. */
export interface DoctorValues {
  readonly token?: string | undefined;
  readonly subprotocol?: string | undefined;
  readonly plain?: boolean | undefined;
  readonly origin?: string | undefined;
  readonly seconds?: number | undefined;
  readonly pings?: number | undefined;
  readonly idle?: number | undefined;
  readonly large?: boolean | undefined;
  readonly json?: boolean | undefined;
}

export const doctor: Command = defineCommand({
  name: 'doctor',
  summary: 'says why a WebSocket connection does not come about or does not hold.',
  operands: 'URL',
  operandsMin: 1,
  operandsMax: 1,
  options: OPTIONS,
  details: [
    'Goes from the address over DNS, TCP, TLS and the HTTP upgrade to the first frames, and says at each step what it saw and',
    'how to mend it. It works against any WebSocket server, and sees more of a Holdfast server; it stores nothing there. Of',
    'tokens and query strings no value is printed, and neither is sent to a server whose certificate is not good. Exit code 1',
    'says that a step failed; warnings alone are 0.',
  ].join('\n'),
  examples: [
    ['holdfast doctor wss://chat.example.com/realtime', 'as a client of Holdfast'],
    ['holdfast doctor wss://chat.example.com/ --origin https://app.example.com', 'as the page of an app'],
    ['holdfast doctor wss://echo.example.com --plain --idle 90', 'any server; does a proxy cut idle ones?'],
    ['holdfast doctor wss://chat.example.com/ --json > ticket.json', 'to pass on'],
  ],
  run: ({ values, operands }) => diagnose(operands[0]!, values, machine, (line) => void process.stdout.write(`${line}\n`)),
});

/** Examines and prints; resolves with the exit code. Throws a `UsageError` for what cannot be asked. */
export async function diagnose(address: string, values: DoctorValues, world: World, print: (line: string) => void): Promise<number> {
  const order = orderOf(address, values, world);
  const isJson = values.json === true;
  const startedAt = new Date(world.now()).toISOString();
  const report = new Report(order.secrets, isJson ? undefined : (finding) => print(findingText(finding)));
  await examine(order, world, report);
  print(isJson ? JSON.stringify(ticketOf(order, report, startedAt), undefined, 2) : summaryText(report));
  return report.exitCode;
}

/** A word of RFC 9110 section 5.6.2: anything else would break the request in two. */
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/;

function orderOf(address: string, values: DoctorValues, world: World): Order {
  const { subprotocol, origin, plain = false, large = false, seconds = WAIT_S, pings = PINGS, idle = IDLE_S } = values;
  const secrets = new Secrets();
  const target = parseTarget(address, secrets);
  // What lies in the environment is for Holdfast servers.
  const token = values.token ?? (plain ? undefined : world.environment['HOLDFAST_TOKEN']);
  if (token !== undefined) secrets.add(token);
  if (subprotocol !== undefined && !TOKEN.test(subprotocol)) throw new UsageError('--subprotocol wants one name, such as mqtt');
  if (token !== undefined && plain && !/^[\x20-\x7e]+$/.test(token)) throw new UsageError('--token has characters that no header can have');
  return {
    target,
    secrets,
    token: token === '' ? undefined : token,
    subprotocol,
    isPlain: plain,
    origin: origin === undefined ? undefined : parseOrigin(origin),
    waitMs: seconds * 1_000,
    idleMs: idle * 1_000,
    pingCount: pings,
    isLarge: large,
  };
}

export interface Ticket {
  readonly holdfast: string;
  readonly node: string;
  readonly platform: string;
  readonly startedAt: string;
  readonly url: string;
  readonly verdict: string;
  readonly exitCode: number;
  readonly findings: readonly Finding[];
}

function ticketOf({ target, secrets }: Order, report: Report, startedAt: string): Ticket {
  const { verdict, exitCode, findings } = report;
  const url = secrets.url(target.url);
  return {
    holdfast: version,
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    startedAt,
    url,
    verdict,
    exitCode,
    findings,
  };
}
