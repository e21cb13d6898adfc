import { describe, expect, it } from 'vitest';
import { verdictOf } from './vulnerabilities.mjs';

const answer = (report, more = {}) => ({ code: 0, stdout: JSON.stringify(report), output: '', ...more });

describe('the verdict on vulnerabilities', () => {
  it('is good where the registry knows of nothing', () => {
    const report = { vulnerabilities: {}, metadata: { vulnerabilities: { total: 0 }, dependencies: { prod: 41 } } };
    expect(verdictOf(answer(report))).toEqual({ failures: [], summary: 'no known vulnerability in 41 dependencies' });
  });

  it('names what is vulnerable', () => {
    const ws = { name: 'ws', severity: 'high', range: '<8.17.1' };
    const report = { vulnerabilities: { ws }, metadata: { vulnerabilities: { total: 1 } } };
    expect(verdictOf(answer(report, { code: 1 })).failures).toEqual(['ws <8.17.1: high']);
  });

  it.each([
    ['with an error in JSON', { stdout: '{"message":"405 Method Not Allowed - POST"}' }, '405 Method Not Allowed - POST'],
    ['with an error of npm', { stdout: '{"error":{"summary":"audit endpoint returned an error"}}' }, 'audit endpoint returned an error'],
    ['with words', { stdout: '', output: 'npm warn audit 404 Not Found' }, '404 Not Found'],
    ['not at all', { stdout: '', output: '' }, 'npm ended with 1'],
  ])('says that nothing was asked where the registry answers %s', (_how, more, why) => {
    expect(verdictOf({ code: 1, stdout: '', output: '', ...more })).toEqual({
      failures: [],
      summary: `SKIPPED, NOTHING WAS ASKED: this registry answers no audit (${why})`,
    });
  });
});
