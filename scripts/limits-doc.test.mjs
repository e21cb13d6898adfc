import { expect, test } from 'vitest';
import { humanValue, limitRows, limitsDocument } from './limits-doc.mjs';
import { ALERTS, metricsDocument, unknownMetrics } from './metrics-doc.mjs';
import * as wire from '../packages/wire/src/index.ts';
import * as server from '../packages/server/src/index.ts';
import { METRICS } from '../packages/ops/src/metric-table.ts';

test.each([
  ['frameBytesMax', 262_144, '256 KiB'],
  ['connectionBytesPerSecond', 2_097_152, '2 MiB/s'],
  ['unansweredBytesMax', 1_000, '1,000 bytes'],
  ['producerSilenceMs', 2_592_000_000, '30 days'],
  ['helloTimeoutMs', 10_000, '10 s'],
  ['burstMs', 1_500, '1,500 ms'],
  ['acceptsPerSecond', 2_000, '2,000/s'],
  ['connectionsMax', 50_000, '50,000'],
  ['connectionsMax', Infinity, 'none'],
])('%s of %d reads %s', (name, value, text) => {
  expect(humanValue(name, value)).toBe(text);
});

test('every limit of both tables stands in the document once', () => {
  const text = limitsDocument({ ...wire, ...server });
  for (const name of server.LIMIT_NAMES) expect([name, text.split(`\n| \`${name}\` |`).length]).toEqual([name, 2]);
  expect(limitRows({ ...wire, ...server })).toHaveLength(server.LIMIT_NAMES.length);
});

test('an announced limit without its columns is noticed', () => {
  expect(() => limitRows({ ...wire, ...server, DEFAULT_LIMITS: { newMax: 1 } })).toThrow(/newMax/);
});

test('alert rules name metrics that exist, and every metric stands in the document', () => {
  expect(unknownMetrics(ALERTS, METRICS)).toEqual([]);
  expect(unknownMetrics([{ alert: 'A', expr: 'rate(holdfast_nothing_total[5m]) > 0' }], METRICS)).toEqual([
    'A names holdfast_nothing_total',
  ]);
  for (const name of Object.keys(METRICS)) expect(metricsDocument(METRICS)).toContain(`| \`holdfast_${name}\` |`);
});
