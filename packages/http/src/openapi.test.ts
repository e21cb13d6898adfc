import { readFileSync } from 'node:fs';
import { validate } from '@readme/openapi-parser';
import { ERROR_CODES, type Json } from '@holdfast/wire';
import { describe, expect, test } from 'vitest';
import { openApi, ROUTES } from './openapi.ts';
import { statusOfCode } from './status-of-code.ts';

/** A copy: the validator resolves references in place. */
const copy = (): Record<string, Json> => JSON.parse(JSON.stringify(openApi())) as Record<string, Json>;

describe('the description', () => {
  test('is valid OpenAPI 3.1, by a validator of others', async () => {
    expect(await validate(copy() as never)).toMatchObject({ valid: true, warnings: [] });
  });

  test('that validator would tell a mistake', async () => {
    const broken = copy();
    (broken['paths'] as Record<string, Record<string, Record<string, Json>>>)['/v1/tickets']!['post']!['responses'] = 7;
    expect((await validate(broken as never)).valid).toBe(false);
  });

  test('has every route', () => {
    const { paths } = copy();
    const described = Object.entries(paths as Record<string, object>).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(described.toSorted()).toEqual(ROUTES.map(({ method, path }) => `${method} ${path}`).toSorted());
  });

  test('has the query parameters that the routes take', () => {
    for (const { operation, query } of ROUTES) {
      const parameters = (operation['parameters'] ?? []) as readonly { readonly name?: string; readonly in?: string }[];
      expect(parameters.filter((one) => one.in === 'query').map(({ name }) => name)).toEqual(query);
    }
  });

  test('stands in docs/reference as it is served', () => {
    const file = readFileSync(new URL('../../../docs/reference/openapi.json', import.meta.url), 'utf8');
    expect(JSON.parse(file)).toEqual(openApi());
  });
});

test('a status says the same as `retryable`: 408, 429 and 5xx are asked again', () => {
  for (const [code, { retryable }] of Object.entries(ERROR_CODES)) {
    const status = statusOfCode(code as keyof typeof ERROR_CODES);
    const isAgain = status === 408 || status === 429 || status >= 500;
    expect({ code, isAgain: isAgain || !retryable }).toEqual({ code, isAgain: true });
  }
});
