/**
 * Asks the registry whether anything that is installed with a package of this repository has a known vulnerability: `npm audit
 * --omit=dev`. Where the registry does not answer that question, as mirrors and closed networks do not, it says so loudly, and is
 * no failure: what could not be asked is not known, either way.
 */

import { conclude, isMain, npm } from './workspace.mjs';

const TIMEOUT_MS = 60_000;

/** What an answer of `npm audit --json` says: `{failures, summary}`. */
export function verdictOf({ code, stdout, output }) {
  const report = reportOf(stdout);
  const found = report?.metadata?.vulnerabilities;
  if (found === undefined) {
    const why = report?.message ?? report?.error?.summary ?? lineOf(output) ?? `npm ended with ${code}`;
    return { failures: [], summary: `SKIPPED, NOTHING WAS ASKED: this registry answers no audit (${why})` };
  }
  const failures = Object.values(report.vulnerabilities).map(({ name, severity, range }) => `${name} ${range}: ${severity}`);
  return { failures, summary: `no known vulnerability in ${report.metadata.dependencies?.prod ?? 'the'} dependencies` };
}

function reportOf(stdout) {
  try {
    return JSON.parse(stdout);
  } catch {
    return undefined;
  }
}

function lineOf(output) {
  return /^npm (?:error|warn) audit (.*)$/m.exec(output)?.[1];
}

if (isMain(import.meta)) {
  const { failures, summary } = verdictOf(await npm(['audit', '--omit=dev', '--json', '--fetch-retries=0'], { timeoutMs: TIMEOUT_MS }));
  conclude(failures, summary);
}
