import { describe, expect, test } from 'vitest';
import { durationText, failed, findingText, ok, Report, summaryText, warning, type Finding } from './doctor-report.ts';
import { observeRoundTrips, percentile } from './doctor-round-trip.ts';
import { Secrets } from './doctor-secrets.ts';

describe('a report', () => {
  test('tells each finding as it happens, and its verdict is the worst', async () => {
    const told: string[] = [];
    const report = new Report(new Secrets(), ({ step, verdict }) => told.push(`${step} ${verdict}`));
    report.add('url', ok('fine'));
    expect([report.verdict, report.exitCode, summaryText(report)]).toEqual(['ok', 0, 'All is well.']);
    expect(await report.run('tcp', () => Promise.resolve({ observations: [warning('so so', 'Mend it.')], value: 7 }))).toBe(7);
    expect([report.verdict, report.exitCode, summaryText(report)]).toEqual(['warning', 0, 'It works, with 1 warning.']);
    report.add('tls', failed('no', 'Mend it.'));
    report.add('tls', failed('no', 'Mend it.'));
    expect([report.verdict, report.exitCode, summaryText(report)]).toEqual(['failed', 1, 'It does not work: 2 failures, 1 warning.']);
    expect(told).toEqual(['url ok', 'tcp warning', 'tls failed', 'tls failed']);
  });

  test('has neither secrets nor what a terminal would obey, in texts and facts alike', () => {
    const secrets = new Secrets();
    secrets.add('geheim');
    const report = new Report(secrets);
    report.add('x', failed('a geheim\u001B[2J', 'Not geheim.', { list: ['geheim', 1, null], 'a fact': { deep: 'geheim\n' } }));
    expect(report.findings).toEqual([
      { step: 'x', verdict: 'failed', text: 'a *** [2J', mend: 'Not ***.', facts: { list: ['***', 1, null], 'a fact': { deep: '*** ' } } },
    ]);
  });

  test('lines have the time of the step, and what mends it below', () => {
    const finding: Finding = { step: 'tcp', verdict: 'warning', text: 'so so', mend: 'Mend it.', tookMs: 12.3 };
    expect(findingText(finding)).toBe(`warning  tcp             12 ms  so so\n${' '.repeat(32)}-> Mend it.`);
    expect([0.04, 0.44, 9.96, 12.3, 999.4, 3_140].map(durationText)).toEqual(['0 ms', '0.4 ms', '10 ms', '12 ms', '999 ms', '3.1 s']);
  });
});

describe('round trips', () => {
  test('percentiles are values that were measured', () => {
    const times = Array.from({ length: 20 }, (_, at) => 20 - at);
    expect([percentile(times, 0.5), percentile(times, 0.95), percentile([3], 0.95)]).toEqual([10, 19, 3]);
  });

  test('that are slow are a warning', () => {
    expect(observeRoundTrips('pings', [20, 1_500], undefined)).toMatchObject({
      verdict: 'warning',
      text: '2 pings: half came back within 20 ms, 95 % within 1.5 s',
      facts: { count: 2, p50Ms: 20, p95Ms: 1_500, maxMs: 1_500 },
    });
  });

  test('one that is lost is a failure, and says how many were not', () => {
    expect(observeRoundTrips('pings', [1, 2], { waitMs: 10_000 })).toMatchObject({
      verdict: 'failed',
      text: 'one of the pings was not answered within 10 s after 2 that were answered',
    });
  });
});
