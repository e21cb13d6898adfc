import { describe, expect, it } from 'vitest';
import { markdownTable, tablesOf, withTables } from './protocol-tables.mjs';

const WIRE = {
  ERROR_CODES: { BAD_JSON: { retryable: false } },
  ERROR_TEXTS: { BAD_JSON: { meaning: 'It is not JSON.', hint: 'Send JSON.' } },
  CLOSE_CODES: { PROTOCOL: { code: 4000 }, SLOW: { code: 4101 } },
  CLOSE_TEXTS: { PROTOCOL: 'The peer broke the protocol.', SLOW: 'Too slow.' },
  closeAdvice: (code) => (code < 4100 ? 'stop' : 'back-off'),
  DEFAULT_LIMITS: { frameBytesMax: 262_144 },
  LIMIT_MEANINGS: { frameBytesMax: 'The largest frame | bytes.' },
};

const PAGE = `# Page
<!-- codes: made from codes.ts -->
old
<!-- /codes -->
between
<!-- closes: made from codes.ts -->
<!-- /closes -->
<!-- limits: made from limits.ts -->
<!-- /limits -->
end
`;

describe('markdownTable', () => {
  it('has a row per row, with bars escaped', () => {
    expect(markdownTable(['a', 'b'], [[1, 'x|y']])).toBe('| a | b |\n| --- | --- |\n| 1 | x\\|y |');
  });
});

describe('withTables', () => {
  it('replaces what is between the markers and nothing else', () => {
    const filled = withTables(PAGE, tablesOf(WIRE));
    expect(filled).toBe(`# Page
<!-- codes: made from codes.ts -->

| code | retryable | meaning | how to mend it |
| --- | --- | --- | --- |
| \`BAD_JSON\` | no | It is not JSON. | Send JSON. |

<!-- /codes -->
between
<!-- closes: made from codes.ts -->

| code | name | meaning | the client |
| --- | --- | --- | --- |
| 4000 | \`PROTOCOL\` | The peer broke the protocol. | stops |
| 4101 | \`SLOW\` | Too slow. | comes back after a growing delay |

<!-- /closes -->
<!-- limits: made from limits.ts -->

| limit | default | meaning |
| --- | --- | --- |
| \`frameBytesMax\` | 262,144 | The largest frame \\| bytes. |

<!-- /limits -->
end
`);
  });

  it('changes nothing the second time', () => {
    const filled = withTables(PAGE, tablesOf(WIRE));
    expect(withTables(filled, tablesOf(WIRE))).toBe(filled);
  });

  it('refuses a page without the markers, or with two pairs', () => {
    expect(() => withTables('# Page\n', tablesOf(WIRE))).toThrow('<!-- codes: ... -->');
    expect(() => withTables(PAGE + PAGE, tablesOf(WIRE))).toThrow('<!-- codes: ... -->');
    expect(() => withTables(PAGE.replace('<!-- /limits -->', ''), tablesOf(WIRE))).toThrow('<!-- limits: ... -->');
  });
});
