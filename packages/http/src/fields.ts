/** The fields of a JSON request, read strictly: a condition that is misspelt must not be taken for none. */

import { HoldfastError, isJsonObject, type Json } from '@holdfast/wire';

const TEXT_LENGTH_MAX = 256;

export type FieldKind = 'text' | 'time' | 'json';

/** What the fields of a table hold once they are read. */
export type Fields<Table extends Readonly<Record<string, FieldKind>>> = {
  readonly [Name in keyof Table]: (Table[Name] extends 'text' ? string : Table[Name] extends 'time' ? number : Json) | undefined;
};

/**
 * Reads an object with none but the fields of `table`; no body at all is an empty one. Texts have 1 to 256 characters, times
 * are whole numbers of ms since 1970. Throws `BAD_FRAME`, naming the field.
 */
export function fieldsOf<Table extends Readonly<Record<string, FieldKind>>>(body: Json | undefined, table: Table): Fields<Table> {
  const given = body ?? {};
  if (!isJsonObject(given)) throw bad('the body is not a JSON object');
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(table, name));
  if (unknown !== undefined) throw bad(`the body has an unknown field "${unknown.slice(0, 40)}"`);
  const fields: Record<string, Json | undefined> = {};
  for (const [name, kind] of Object.entries(table)) {
    const value = Object.hasOwn(given, name) ? given[name] : undefined;
    if (value !== undefined && !fits(kind, value)) throw bad(`"${name}" is no ${MEANINGS[kind]}`);
    fields[name] = value;
  }
  return fields as Fields<Table>;
}

const MEANINGS: Readonly<Record<FieldKind, string>> = {
  text: `string of 1 to ${TEXT_LENGTH_MAX} characters`,
  time: 'time in whole ms since 1970',
  json: 'JSON',
};

function fits(kind: FieldKind, value: Json): boolean {
  if (kind === 'text') return typeof value === 'string' && value.length >= 1 && value.length <= TEXT_LENGTH_MAX;
  return kind === 'json' || (Number.isSafeInteger(value) && (value as number) >= 0);
}

/** Of these at least one. Throws `BAD_FRAME`. */
export function assertSome(fields: Readonly<Record<string, unknown>>, names: readonly string[]): void {
  if (names.every((name) => fields[name] === undefined)) throw bad(`at least one of ${names.join(', ')} is needed`);
}

function bad(message: string): HoldfastError {
  return new HoldfastError('BAD_FRAME', message, { hint: 'GET /v1/openapi.json describes every request.' });
}
