/**
 * The settings that are in force, and where each came from: flags count before the environment, the environment before the
 * file, the file before the defaults. Whatever cannot be used is collected, so that one start tells of all mistakes. Knows
 * nothing of what the settings do.
 */

import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { isJsonObject, type Json } from '@holdfast/wire';
import { JsonMistake, parseJsonWithComments } from './json-with-comments.ts';
import { nearest } from './nearest.ts';
import { environmentName, SETTING_KEYS, SETTINGS, type Setting, type SettingKey, type Settings } from './settings.ts';
import { WantedError, type ValueType } from './value-type.ts';

/** Where a value came from. */
export type Origin =
  | 'default'
  | { readonly flag: string }
  | { readonly variable: string }
  | { readonly file: string; readonly line: number };

export interface Configuration {
  readonly settings: Settings;
  readonly origins: ReadonlyMap<SettingKey, Origin>;
}

/** What stands in the way, each a sentence that names the key and where it came from. Exit code 2. */
export class ConfigurationError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

export interface Sources {
  /** By the flags' names, already read. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The path of the file. */
  readonly file: string | undefined;
}

/** Names of the environment that are no settings of the server: those of other commands, and of the project's own tests. */
const OTHER_VARIABLES = new Set(['HOLDFAST_CONFIG', 'HOLDFAST_TOKEN', 'HOLDFAST_API_KEY', 'HOLDFAST_IRC']);
/** What Kubernetes sets in every container beside a service of the name `holdfast`. */
const SERVICE_LINK = /^HOLDFAST_(?:SERVICE_(?:HOST|PORT)|PORT_\d)/;

/** A setting that must not be shown may also be named as a file that has it. */
const FILE_SUFFIX = { key: 'File', variable: '_FILE' } as const;

interface Given {
  readonly value: unknown;
  readonly origin: Origin;
}

/** Throws a `ConfigurationError` with everything that is wrong. */
export function loadConfiguration(sources: Sources): Configuration {
  const problems: string[] = [];
  const found = [fromFile(sources.file, problems), fromEnvironment(sources.environment, problems), fromFlags(sources.flags)];
  if (problems.length > 0) throw new ConfigurationError(problems);
  const origins = new Map<SettingKey, Origin>();
  const entries = SETTING_KEYS.map((key) => {
    const given = found.findLast((layer) => layer.has(key))?.get(key);
    origins.set(key, given?.origin ?? 'default');
    return [key, given === undefined ? SETTINGS[key].default : given.value] as const;
  });
  return { settings: Object.fromEntries(entries) as unknown as Settings, origins };
}

/** Such as `--port`, `HOLDFAST_PORT`, `holdfast.json:3`. */
export function originText(origin: Origin): string {
  if (origin === 'default') return 'default';
  if ('flag' in origin) return `--${origin.flag}`;
  return 'variable' in origin ? origin.variable : `${origin.file}:${origin.line}`;
}

function typeOf(key: SettingKey): ValueType<unknown> {
  return (SETTINGS[key] as Setting<unknown>).type;
}

function fromFlags(flags: Readonly<Record<string, unknown>>): Map<SettingKey, Given> {
  const found = new Map<SettingKey, Given>();
  for (const key of SETTING_KEYS) {
    const flag = SETTINGS[key].flag?.[0];
    if (flag !== undefined && flags[flag] !== undefined) found.set(key, { value: flags[flag], origin: { flag } });
  }
  return found;
}

/** Every setting's names in the environment, and whether the value stands in a file that is named. */
function variables(): Map<string, { readonly key: SettingKey; readonly isFile: boolean }> {
  const names = new Map<string, { key: SettingKey; isFile: boolean }>();
  for (const key of SETTING_KEYS) {
    const name = environmentName(key);
    names.set(name, { key, isFile: false });
    if (typeOf(key).isSecret === true) names.set(name + FILE_SUFFIX.variable, { key, isFile: true });
  }
  return names;
}

function fromEnvironment(environment: Sources['environment'], problems: string[]): Map<SettingKey, Given> {
  const found = new Map<SettingKey, Given>();
  const names = variables();
  for (const [variable, text] of Object.entries(environment)) {
    if (!variable.startsWith('HOLDFAST_') || OTHER_VARIABLES.has(variable) || SERVICE_LINK.test(variable)) continue;
    // An empty one is how many tools write one that is not set.
    if (text === undefined || text === '') continue;
    const known = names.get(variable);
    if (known === undefined) {
      problems.push(`${variable} is no setting${nearest(variable, [...names.keys()], '')}`);
      continue;
    }
    const { key, isFile } = known;
    const subject = `${key} (${variable})`;
    if (found.has(key)) {
      problems.push(`${subject} is given in two ways, as ${environmentName(key)} and with ${FILE_SUFFIX.variable}`);
      continue;
    }
    const value = isFile
      ? secretFile(subject, text, problems)
      : attempt(subject, problems, () => typeOf(key).parse(text, { folder: '.' }), linkHint(text));
    if (value !== undefined) found.set(key, { value, origin: { variable } });
  }
  return found;
}

function linkHint(text: string): string {
  return text.startsWith('tcp://')
    ? '; Kubernetes sets this for a service named "holdfast": give the pod enableServiceLinks: false, or the service another name'
    : '';
}

function fromFile(file: string | undefined, problems: string[]): Map<SettingKey, Given> {
  const found = new Map<SettingKey, Given>();
  const parsed = file === undefined ? undefined : readSettingsFile(file, problems);
  if (file === undefined || parsed === undefined) return found;
  const folder = dirname(file);
  const known = new Set<string>(SETTING_KEYS);
  const groups = new Set(SETTING_KEYS.flatMap((key) => groupsOf(key)));
  const secretFiles = new Map(SETTING_KEYS.filter((key) => typeOf(key).isSecret).map((key) => [key + FILE_SUFFIX.key, key]));
  const names = [...known, ...secretFiles.keys()];

  const walk = (group: string, object: { readonly [key: string]: Json }): void => {
    for (const [name, json] of Object.entries(object)) {
      const key = group === '' ? name : `${group}.${name}`;
      if (key === '$schema') continue;
      const origin = { file, line: parsed.lines.get(key) ?? 1 };
      const subject = `${key} (${originText(origin)})`;
      const setting = secretFiles.get(key) ?? (known.has(key) ? (key as SettingKey) : undefined);
      if (setting === undefined) {
        if (!groups.has(key)) problems.push(`${subject} is no setting${nearestKey(key, names)}`);
        else if (isJsonObject(json)) walk(key, json);
        else problems.push(`${subject} wants an object: {...}`);
        continue;
      }
      if (found.has(setting)) {
        problems.push(`${subject} is given in two ways, as ${setting} and as ${setting}${FILE_SUFFIX.key}`);
        continue;
      }
      const reading = { folder };
      const value =
        setting === key
          ? attempt(subject, problems, () => typeOf(setting).read(json, reading))
          : secretFile(
              subject,
              attempt(subject, problems, () => SETTINGS.data.type.read(json, reading)),
              problems,
            );
      if (value !== undefined) found.set(setting, { value, origin });
    }
  };
  walk('', parsed.value);
  return found;
}

/** The last part may be misspelt, or the group forgotten. */
function nearestKey(key: string, names: readonly string[]): string {
  const last = key.split('.').at(-1)!;
  const namesake = names.find((name) => name.endsWith(`.${last}`));
  return namesake === undefined ? nearest(key, names, '') : `; did you mean ${namesake}?`;
}

/** `auth.jwt.secret` stands in the groups `auth` and `auth.jwt`. */
function groupsOf(key: string): string[] {
  const parts = key.split('.');
  return parts.slice(1).map((_, at) => parts.slice(0, at + 1).join('.'));
}

interface SettingsFile {
  readonly value: { readonly [key: string]: Json };
  readonly lines: ReadonlyMap<string, number>;
}

function readSettingsFile(file: string, problems: string[]): SettingsFile | undefined {
  try {
    const { value, lines } = parseJsonWithComments(readFileSync(file, 'utf8'));
    if (isJsonObject(value)) return { value, lines };
    problems.push(`${file} wants an object: {...}`);
  } catch (error) {
    if (error instanceof JsonMistake) problems.push(`${file}:${error.line} is not JSON: ${error.message}`);
    else problems.push(`the file of settings cannot be read: ${(error as Error).message}`);
  }
  return undefined;
}

/** What a file has, without the end of its last line. */
function secretFile(subject: string, path: string | undefined, problems: string[]): string | undefined {
  if (path === undefined) return undefined;
  try {
    const text = readFileSync(path, 'utf8').replace(/\r?\n$/, '');
    if (text !== '') return text;
    problems.push(`${subject}: ${path} is empty`);
  } catch (error) {
    problems.push(`${subject} cannot be read: ${(error as Error).message}`);
  }
  return undefined;
}

/** What was wanted is said, what came is not: it may be a secret in the wrong place. */
function attempt<Value>(subject: string, problems: string[], read: () => Value, hint = ''): Value | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof WantedError)) throw error;
    const place = error.place === '' ? '' : `, at "${error.place.replace(/^\./, '')}"`;
    problems.push(`${subject}${place} ${error.message}${hint}`);
    return undefined;
  }
}
