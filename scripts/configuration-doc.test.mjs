import { describe, expect, test } from 'vitest';
import { missingFrom, schemaOf, tablesOf } from './configuration-doc.mjs';

const number = { name: 'number', bounds: 'from 1', schema: { type: 'integer' }, show: (value) => value };
const secret = { name: 'secret', schema: { type: 'string' }, show: () => '***', isSecret: true };
const SETTINGS = {
  port: { type: number, default: 1, flag: ['port', 'PORT'], meaning: 'the port' },
  'auth.jwt.secret': { type: secret, default: undefined, meaning: 'the secret' },
};

describe('the documents of settings', () => {
  test('have a row for each setting, with all its names', () => {
    const tables = tablesOf(SETTINGS, (key) => key.toUpperCase());
    expect(tables.listening).toContain('| `port`<br>`PORT`<br>`--port` | number, from 1 | `1` | the port |');
    expect(tables.identity).toContain(
      '`auth.jwt.secret`<br>`auth.jwt.secretFile`<br>`AUTH.JWT.SECRET`<br>`AUTH.JWT.SECRET_FILE` | secret | none |',
    );
    expect(tables.limits.split('\n')).toHaveLength(2);
  });

  test('say which setting no table has', () => {
    expect(missingFrom({ ...SETTINGS, colour: SETTINGS.port })).toEqual(['colour']);
  });

  test('the schema nests them, and refuses what it does not know', () => {
    const { properties, additionalProperties } = schemaOf(SETTINGS);
    expect(additionalProperties).toBe(false);
    expect(properties.port).toEqual({ description: 'the port', type: 'integer', default: 1 });
    expect(Object.keys(properties.auth.properties.jwt.properties)).toEqual(['secret', 'secretFile']);
    expect(properties.auth.additionalProperties).toBe(false);
  });
});
