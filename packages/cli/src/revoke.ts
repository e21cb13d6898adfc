/** `holdfast revoke`: takes credentials back, through the REST API of a running server. */

import { readFileSync } from 'node:fs';
import { HoldfastError, isErrorCode } from '@holdfast/wire';
import { defineCommand, type Command } from './command.ts';
import { CommandFailure, EXIT_CODES, UsageError } from './failure.ts';
import { flag, textOption, type OptionValues } from './option.ts';

const URL_DEFAULT = 'http://localhost:8080';
/** How long the server may take, ms: the record is synced to its disk. */
const TIMEOUT_MS = 15_000;
const API_KEY_HINT = 'Set HOLDFAST_API_KEY, or give --api-key-file; the server has it in auth.apiKey.';

const OPTIONS = {
  credential: textOption('ID', 'only the token with this jti; SUBJECT may then be left out'),
  lock: flag('whatever is issued later is refused too, until --release'),
  release: flag('give back what was taken'),
  url: textOption('URL', `the server (default ${URL_DEFAULT})`),
  'api-key-file': textOption('FILE', 'a file that has an API key (default: the key in $HOLDFAST_API_KEY)'),
};

type Values = OptionValues<typeof OPTIONS>;

export const revoke: Command = defineCommand({
  name: 'revoke',
  summary: "takes somebody's credentials back.",
  operands: '[SUBJECT]',
  operandsMin: 0,
  operandsMax: 1,
  options: OPTIONS,
  details: [
    'Tokens of SUBJECT that were issued until now are refused from now on, and connections that they opened are closed. A token',
    'issued later is good again, unless there is --lock. Revocations are kept in the store and survive restarts.',
  ].join('\n'),
  examples: [
    ['holdfast revoke alice', 'signs alice out everywhere; she may sign in again'],
    ['holdfast revoke alice --lock', 'and keeps her out'],
    ['holdfast revoke alice --lock --release', 'until this'],
    ['holdfast revoke --credential 5f0c2d', 'one token alone'],
  ],
  run: async ({ values, operands }) => {
    const [subject] = operands;
    const { credential } = values;
    if (subject === undefined && credential === undefined) throw new UsageError('whose? Give a SUBJECT, or --credential');
    const isLasting = values.lock === true || credential !== undefined;
    const connections = await ask(values, {
      ...(subject === undefined ? {} : { subject }),
      ...(credential === undefined ? {} : { credentialId: credential }),
      ...(isLasting ? {} : { issuedBefore: Date.now() }),
      ...(values.release === true ? { until: 0 } : {}),
    });
    if (values.release === true) console.log('released');
    else console.log(`revoked; ${connections === 1 ? '1 connection was' : `${connections} connections were`} closed`);
    return EXIT_CODES.ok;
  },
});

interface Answer {
  readonly connections?: number;
  readonly code?: string;
  readonly detail?: string;
  readonly hint?: string;
}

async function ask(values: Values, body: object): Promise<number> {
  const url = values.url ?? URL_DEFAULT;
  if (!/^https?:\/\/./i.test(url) || !URL.canParse('/v1/revocations', url))
    throw new UsageError(`--url wants an address such as ${URL_DEFAULT}, not "${url}"`);
  const response = await fetch(new URL('/v1/revocations', url), {
    method: 'POST',
    headers: { authorization: `Bearer ${apiKeyOf(values)}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).catch((error: unknown) => {
    const { cause = error } = error as { cause?: unknown };
    throw new CommandFailure(`no Holdfast server answers at ${url} (${(cause as Error).message})`, 'Name another with --url.');
  });
  const answer = (await response.json().catch(() => ({}))) as Answer;
  if (response.ok) return answer.connections ?? 0;
  const { code = '', detail = `the server answered ${response.status}`, hint } = answer;
  if (code === 'UNAUTHENTICATED') throw new CommandFailure(`the API key is not good: ${detail}`, API_KEY_HINT);
  throw isErrorCode(code) ? new HoldfastError(code, detail, hint === undefined ? {} : { hint }) : new CommandFailure(detail, hint);
}

function apiKeyOf({ 'api-key-file': file }: Values): string {
  const key = file === undefined ? process.env['HOLDFAST_API_KEY'] : readFileSync(file, 'utf8').trim();
  if (key !== undefined && key !== '') return key;
  throw new CommandFailure('there is no API key', API_KEY_HINT);
}
