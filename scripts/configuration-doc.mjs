/**
 * docs/configuration.md and the JSON Schema of the file of settings, made from the table of settings of the built package
 * `cli`. Without an argument the files are brought up to date; `--check` changes nothing and fails if they differ.
 */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { markdownTable, withTables } from './protocol-tables.mjs';
import { conclude, isMain, root } from './workspace.mjs';

const DOCUMENT = 'docs/configuration.md';
const SCHEMA = 'docs/reference/config.schema.json';

/** The tables of the document by the names of their markers, and which settings each holds, by the beginning of the key. */
const AREAS = {
  listening: ['host', 'port', 'tls.', 'behindProxy', 'trustedProxies', 'insecure', 'origins'],
  topics: ['data', 'memory', 'sync', 'retain.', 'topics', 'paths', 'static'],
  identity: ['auth.'],
  webhooks: ['webhooks.'],
  running: ['heartbeat', 'presenceGrace', 'drain', 'alternate', 'operations.', 'log.'],
  limits: ['limits.'],
};

/** The JSON Schema of a file. */
export function schemaOf(settings) {
  const whole = { $schema: 'https://json-schema.org/draft/2020-12/schema', title: 'Settings of holdfast serve', ...group() };
  whole.properties.$schema = { type: 'string' };
  for (const [key, { type, meaning, default: byDefault }] of Object.entries(settings)) {
    const parts = key.split('.');
    const last = parts.pop();
    const place = parts.reduce((at, part) => (at.properties[part] ??= group()), whole);
    const shown = byDefault === undefined ? {} : { default: type.show(byDefault) };
    place.properties[last] = { description: meaning, ...type.schema, ...shown };
    if (type.isSecret) place.properties[`${last}File`] = { description: `a file that has it: ${meaning}`, type: 'string', minLength: 1 };
  }
  return whole;
}

function group() {
  return { type: 'object', additionalProperties: false, properties: {} };
}

/** The tables of the document. */
export function tablesOf(settings, environmentName) {
  const entries = Object.entries(settings);
  return Object.fromEntries(
    Object.entries(AREAS).map(([area, beginnings]) => {
      const own = entries.filter(([key]) => beginnings.some((one) => (one.endsWith('.') ? key.startsWith(one) : key === one)));
      const rows = own.flatMap(([key, setting]) => [rowOf(key, setting, environmentName), ...fieldRows(key, setting.type.schema)]);
      return [area, markdownTable(['setting', 'type', 'default', 'meaning'], rows)];
    }),
  );
}

/** Settings that no table of the document has. */
export function missingFrom(settings) {
  const beginnings = Object.values(AREAS).flat();
  return Object.keys(settings).filter((key) => !beginnings.some((one) => (one.endsWith('.') ? key.startsWith(one) : key === one)));
}

function rowOf(key, { type, default: byDefault, defaultText, flag, meaning }, environmentName) {
  const names = [
    `\`${key}\``,
    ...(type.isSecret ? [`\`${key}File\``] : []),
    `\`${environmentName(key)}\``,
    ...(type.isSecret ? [`\`${environmentName(key)}_FILE\``] : []),
    ...(flag === undefined ? [] : [`\`--${flag[0]}\``]),
  ];
  const bounds = type.bounds === undefined || type.bounds === '' ? '' : `, ${type.bounds}`;
  return [names.join('<br>'), `${type.name}${bounds}`, defaultText ?? defaultOf(type, byDefault), meaning];
}

function defaultOf(type, value) {
  if (value === undefined || (Array.isArray(value) && value.length === 0)) return 'none';
  return `\`${JSON.stringify(type.show(value))}\``;
}

/** Fields of objects, which stand in files alone. */
function fieldRows(key, schema) {
  const [place, inner] = schema.items?.properties
    ? [`${key}[]`, schema.items]
    : schema.additionalProperties?.properties
      ? [`${key}.*`, schema.additionalProperties]
      : [key, schema];
  return Object.entries(inner.properties ?? {}).flatMap(([name, field]) => [
    [`\`${place}.${name}\``, typeWords(field), '', field.description],
    ...fieldRows(`${place}.${name}`, field),
  ]);
}

function typeWords({ enum: choices, type, anyOf }) {
  if (choices !== undefined) return choices.join(', ');
  return type === undefined && anyOf !== undefined ? 'list of text' : String(type ?? 'object').replace(',', ' or ');
}

async function main() {
  const built = join(root, 'packages/cli/dist/index.js');
  if (!existsSync(built)) return conclude(['packages/cli is not built: npm run build'], '');
  const { SETTINGS, environmentName } = await import(pathToFileURL(built).href);
  const missing = missingFrom(SETTINGS).map((key) => `${DOCUMENT}: no table has "${key}"`);
  const document = readFileSync(join(root, DOCUMENT), 'utf8');
  const wanted = {
    [DOCUMENT]: withTables(document, tablesOf(SETTINGS, environmentName), DOCUMENT),
    [SCHEMA]: `${JSON.stringify(schemaOf(SETTINGS), null, 2)}\n`,
  };
  const failures = [...missing];
  for (const [file, text] of Object.entries(wanted)) {
    const path = join(root, file);
    mkdirSync(dirname(path), { recursive: true });
    if (!process.argv.includes('--check')) writeFileSync(path, text);
    else if (!existsSync(path) || readFileSync(path, 'utf8') !== text)
      failures.push(`${file} is not that of the table of settings: node scripts/configuration-doc.mjs`);
  }
  return conclude(failures, `${Object.keys(SETTINGS).length} settings are documented as they are`);
}

if (isMain(import.meta)) await main();
