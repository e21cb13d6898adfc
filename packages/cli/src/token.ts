/** `holdfast token`: makes a token for a client, and secrets. Prints nothing else on standard output. */

import { readFileSync } from 'node:fs';
import { generateSecret, signToken, type Capabilities, type CapabilityAction, type SigningKey } from '@holdfast/auth';
import { HoldfastError } from '@holdfast/wire';
import { defineCommand, type Command } from './command.ts';
import { loadConfiguration } from './configuration.ts';
import { CommandFailure, EXIT_CODES, UsageError } from './failure.ts';
import { durationOption, flag, repeatedOption, textOption, type OptionValues } from './option.ts';
import type { Settings } from './settings.ts';

const LIFETIME_MS = 3_600_000;

const OPTIONS = {
  subject: textOption('NAME', 'who it is for'),
  lifetime: durationOption('TIME', 'how long it is good (default 1h, or auth.jwt.maxLifetime where that is less)'),
  capability: repeatedOption('PATTERN=ACTIONS', 'what it allows, such as chat/*=subscribe,publish or *=*; may come several times'),
  config: textOption('FILE', "the server's settings (default: $HOLDFAST_CONFIG): their secret, issuer, audience and claims"),
  secret: textOption(
    'TEXT',
    "sign with this secret; seen in the list of processes, so rather set the server's\nHOLDFAST_AUTH_JWT_SECRET or _SECRET_FILE, or use --config",
  ),
  key: textOption('FILE', 'sign with this private key (PEM)'),
  'key-id': textOption('ID', 'names the key (kid), where the server knows several'),
  issuer: textOption('TEXT', "iss (default: that of the server's settings)"),
  audience: textOption('TEXT', "aud (default: the first of the server's settings)"),
  credential: textOption('ID', 'jti, by which "holdfast revoke" finds it (default: a random one)'),
  'new-secret': flag('print a new secret of 256 bits instead, for tokens or as an API key'),
};

type Values = OptionValues<typeof OPTIONS>;

export const token: Command = defineCommand({
  name: 'token',
  summary: 'makes a token for a client, or a secret.',
  operands: '',
  operandsMin: 0,
  operandsMax: 0,
  options: OPTIONS,
  details: [
    'Prints a JWT on standard output and nothing else. Without --secret or --key it signs with the secret that the server',
    'has: from --config, or from the environment. Actions are subscribe, publish, read, signal, presence, members,',
    'register, call, or * for all.',
  ].join('\n'),
  examples: [
    ['holdfast token --new-secret > jwt-secret', 'a secret for the server'],
    [
      "holdfast token --subject alice --capability 'chat/*=subscribe,publish' --config holdfast.json",
      'as the server of that file accepts it',
    ],
    ['holdfast tail chat/42 --token "$(holdfast token --subject ops --capability \'*=subscribe,read\')"', 'a token for once'],
  ],
  run: async ({ values }) => {
    if (values['new-secret'] === true) {
      console.log(generateSecret());
      return EXIT_CODES.ok;
    }
    if (values.subject === undefined) throw new UsageError('--subject is missing: who is it for?');
    if (values.secret !== undefined && values.key !== undefined) throw new UsageError('--secret and --key exclude each other');
    const file = values.config ?? process.env['HOLDFAST_CONFIG'];
    const { settings } = loadConfiguration({ flags: {}, environment: process.env, file: file === '' ? undefined : file });
    try {
      console.log(await sign(values, values.subject, settings));
    } catch (error) {
      if (error instanceof HoldfastError && error.code === 'USAGE') throw new CommandFailure(error.message, error.hint, { cause: error });
      throw error;
    }
    return EXIT_CODES.ok;
  },
});

async function sign(values: Values, subject: string, settings: Settings): Promise<string> {
  const { capability = [], credential } = values;
  const lifetime = lifetimeOf(values, settings);
  const issuer = values.issuer ?? settings['auth.jwt.issuer'][0];
  const audience = values.audience ?? settings['auth.jwt.audience'][0];
  const subjectClaim = settings['auth.jwt.subjectClaim'];
  return signToken({
    key: signingKeyOf(values, settings),
    subject,
    capabilityClaim: settings['auth.capabilityClaim'],
    ...(capability.length === 0 ? {} : { capabilities: capabilitiesOf(capability) }),
    ...(subjectClaim === 'sub' ? {} : { claims: { [subjectClaim]: subject } }),
    lifetimeMs: lifetime,
    ...(issuer === undefined ? {} : { issuer }),
    ...(audience === undefined ? {} : { audience }),
    ...(credential === undefined ? {} : { credentialId: credential }),
    ...(values['key-id'] === undefined ? {} : { keyId: values['key-id'] }),
  });
}

/** ms; no longer than the server of the settings accepts. */
function lifetimeOf({ lifetime }: Values, settings: Settings): number {
  const lifetimeMaxMs = settings['auth.jwt.maxLifetime'] ?? Infinity;
  if (lifetime !== undefined && lifetime > lifetimeMaxMs)
    throw new UsageError(`--lifetime is longer than auth.jwt.maxLifetime, ${lifetimeMaxMs / 1_000} s: the server would refuse the token`);
  return lifetime ?? Math.min(LIFETIME_MS, lifetimeMaxMs);
}

function signingKeyOf({ secret: given, key, config }: Values, settings: Settings): SigningKey {
  if (key !== undefined) return { privateKey: readFileSync(key, 'utf8') };
  const secret = given ?? settings['auth.jwt.secret'];
  if (secret !== undefined) return { secret };
  throw new CommandFailure(
    'there is nothing to sign with',
    `Set HOLDFAST_AUTH_JWT_SECRET_FILE or HOLDFAST_AUTH_JWT_SECRET as the server has it, or give --key${config === undefined ? ' or --config' : `; ${config} has no auth.jwt.secret`}.`,
  );
}

/** `chat/*=subscribe,publish`: topics may have `=` in their names, actions may not. */
function capabilitiesOf(texts: readonly string[]): Capabilities {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.lastIndexOf('=');
      if (at < 1) throw new UsageError(`--capability wants PATTERN=ACTION,ACTION, such as chat/*=subscribe,publish, not "${text}"`);
      return [text.slice(0, at), text.slice(at + 1).split(',') as CapabilityAction[]];
    }),
  );
}
