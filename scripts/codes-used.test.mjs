import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkCodes, namesIn, silentCodes, unexplainedCodes } from './codes-used.mjs';

let base;
const write = (file, text) => {
  mkdirSync(dirname(join(base, file)), { recursive: true });
  writeFileSync(join(base, file), text);
};

const TABLES = `export const ERROR_CODES = {
  BAD_JSON: { meaning: 'OVERLOADED is another.' },
  OVERLOADED: {
    retryable: true,
  },
} as const;
export const CLOSE_CODES = {
  SLOW: { code: 4101 },
  FENCED: { code: 4001 },
} as const;
`;

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'holdfast-codes-'));
  write('packages/wire/src/codes.ts', TABLES);
});
afterEach(() => rmSync(base, { recursive: true }));

describe('namesIn', () => {
  it('names the rows and not their fields', () => {
    expect(namesIn(TABLES, 'ERROR_CODES')).toEqual(['BAD_JSON', 'OVERLOADED']);
    expect(namesIn(TABLES, 'CLOSE_CODES')).toEqual(['SLOW', 'FENCED']);
  });

  it('refuses a text without the table', () => {
    expect(() => namesIn('', 'ERROR_CODES')).toThrow('no table ERROR_CODES');
  });
});

describe('unexplainedCodes', () => {
  it('finds what the client raises without a sentence, in files that a browser loads', () => {
    write(
      'packages/wire/src/client-code-texts.ts',
      `export const CLIENT_TEXTS: Texts = {\n  BAD_JSON: {\n    meaning: 'No JSON.',\n  },\n};\n`,
    );
    write('packages/client/src/link.ts', `new HoldfastError('BAD_JSON');\nnew HoldfastError(\n  'OVERLOADED', 'x');\n`);
    write('packages/client/src/outbox-file.ts', `new HoldfastError('STORE_CORRUPT');\n`);
    write('packages/client/src/link.test.ts', `new HoldfastError('CLOSED');\n`);
    expect(unexplainedCodes(base)).toEqual(['OVERLOADED']);
  });
});

describe('silentCodes', () => {
  it('finds what a browser raises without a sentence, and has none for in production', () => {
    write('packages/wire/src/production-code-texts.ts', `const MEANINGS: Texts = {\n  CLOSED: 'It is closed.',\n};\n`);
    write(
      'packages/client/src/link.ts',
      `new HoldfastError('CLOSED');\nnew HoldfastError('BAD_JSON', 'x');\nnew HoldfastError('OVERLOADED');\n`,
    );
    expect(silentCodes(base)).toEqual(['OVERLOADED']);
  });
});

describe('checkCodes', () => {
  it('finds nothing unused where every code is said', () => {
    write('packages/server/src/hub.ts', `throw new HoldfastError('BAD_JSON');\nclose(CLOSE_CODES.SLOW.code);\n`);
    write('packages/client/src/link.ts', `const code = "OVERLOADED";\nif (code === CLOSE_CODES.FENCED.code) stop();\n`);
    expect(checkCodes(base)).toEqual({ unused: [], count: 4 });
  });

  it('does not count tests, comments, other packages or parts of longer names', () => {
    write('packages/server/src/hub.test.ts', `expect('BAD_JSON');\n`);
    write('packages/server/src/hub.ts', `// 'BAD_JSON'\n/** 'OVERLOADED' */\nconst a = 'BAD_JSON_TOO', b = CLOSE_CODES.SLOWER;\n`);
    write('packages/wire/src/client-code-texts.ts', `type ClientCode = 'BAD_JSON';\n`);
    write('apps/demo/src/main.ts', `CLOSE_CODES.FENCED; 'OVERLOADED';\n`);
    expect(checkCodes(base).unused).toEqual(['BAD_JSON', 'OVERLOADED', 'CLOSE_CODES.SLOW', 'CLOSE_CODES.FENCED']);
  });
});
