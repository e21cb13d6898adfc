/**
 * The one gate, `npm run check`: every step runs, whatever the others said; each prints one line with its verdict, its
 * time and what it counted, and the failed ones their output. Exits with 1 if any failed. The order follows what a step
 * needs: the linter reads types from the built packages, tests and simulation may start built programs.
 */

import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { isMain, root, run, tool } from './workspace.mjs';

const SIMULATION_SEEDS = 20;

const script =
  (name, ...args) =>
  () =>
    run(process.execPath, [join(root, 'scripts', name), ...args]);

const STEPS = [
  { name: 'format', run: () => tool('oxfmt/bin/oxfmt', ['--list-different']), hint: 'npm run format' },
  { name: 'build', run: () => tool('typescript/bin/tsc', ['-b']) },
  { name: 'demo build', run: () => tool('vite/bin/vite.js', ['build', '--logLevel', 'warn'], { cwd: join(root, 'apps/demo') }) },
  { name: 'lint', run: () => tool('oxlint/bin/oxlint', ['--deny-warnings']) },
  { name: 'types of tests', run: () => tool('typescript/bin/tsc', ['-p', 'tsconfig.test.json']) },
  { name: 'tests', run: runTests },
  { name: 'simulation', run: () => tool('../sim/dist/main.js', ['--seeds', String(SIMULATION_SEEDS)]) },
  { name: 'unused', run: () => tool('knip/bin/knip.js', ['--no-progress', '--no-config-hints']) },
  { name: 'layers', run: script('layers.mjs') },
  { name: 'files', run: script('files.mjs') },
  { name: 'documents', run: script('documents.mjs') },
  { name: 'protocol tables', run: script('protocol-tables.mjs', '--check'), hint: 'node scripts/protocol-tables.mjs' },
  { name: 'asyncapi', run: script('asyncapi.mjs', '--check'), hint: 'node scripts/asyncapi.mjs' },
  { name: 'openapi', run: script('openapi.mjs', '--check'), hint: 'node scripts/openapi.mjs' },
  { name: 'settings', run: script('configuration-doc.mjs', '--check'), hint: 'node scripts/configuration-doc.mjs' },
  { name: 'limits', run: script('limits-doc.mjs', '--check'), hint: 'node scripts/limits-doc.mjs' },
  { name: 'metrics', run: script('metrics-doc.mjs', '--check'), hint: 'node scripts/metrics-doc.mjs' },
  { name: 'connection figure', run: script('connection-figure.mjs', '--check'), hint: 'node scripts/connection-figure.mjs' },
  { name: 'figures', run: script('figures.mjs', '--check'), hint: 'node scripts/figures.mjs' },
  { name: 'codes', run: script('codes-used.mjs') },
  { name: 'threats', run: script('threats.mjs') },
  { name: 'vulnerabilities', run: script('vulnerabilities.mjs') },
  { name: 'package shape', run: script('package-shape.mjs') },
  { name: 'size budget', run: script('size-budget.mjs') },
  { name: 'hermes', run: script('hermes.mjs') },
];

/** Runs vitest with its own reporter on screen, and counts from its JSON report. */
async function runTests() {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-tests-'));
  const report = join(folder, 'report.json');
  try {
    const args = ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
    const { code, output } = await tool('vitest/vitest.mjs', args, { show: true, timeoutMs: 900_000 });
    if (!existsSync(report)) return { code: 1, output: 'vitest left no report', passed: 0, failed: 0 };
    const { numPassedTests: passed, numFailedTests, numPendingTests, testResults } = JSON.parse(readFileSync(report, 'utf8'));
    // A file that could not be loaded has no failed test in it, and yet it failed.
    const unloaded = testResults.filter(
      ({ status, assertionResults }) => status === 'failed' && assertionResults.every((one) => one.status !== 'failed'),
    );
    const failed = numFailedTests + unloaded.length;
    const detail = `${passed} passed, ${failed} failed, ${numPendingTests} skipped in ${testResults.length} files`;
    return {
      code: passed === 0 ? 1 : code,
      output: code === 0 ? detail : `${detail} (see above)\n${lastLines(output, 3)}`,
      passed,
      failed,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function lastLines(text, count) {
  return text.trimEnd().split('\n').slice(-count).join('\n');
}

function indented(text) {
  return text.trimEnd().replace(/^/gm, '      ');
}

/**
 * Runs all steps. Resolves with the names of the failed ones and the sums `passed` and `failed`: vitest's tests, and one
 * for every other step. The step of the tests itself counts only when it failed without a failed test in it.
 */
export async function runGate() {
  const failedSteps = [];
  let passed = 0;
  let failed = 0;
  for (const step of STEPS) {
    const began = performance.now();
    const outcome = await step.run();
    const took = `${((performance.now() - began) / 1000).toFixed(1)} s`.padStart(8);
    const good = outcome.code === 0;
    passed += outcome.passed ?? (good ? 1 : 0);
    failed += good ? 0 : Math.max(outcome.failed ?? 1, 1);
    if (good) console.log(`ok   ${step.name.padEnd(15)}${took}  ${lastLines(outcome.output, 1)}`.trimEnd());
    else {
      failedSteps.push(step.name);
      const hint = step.hint === undefined ? '' : `  mend it with: ${step.hint}`;
      console.log(`FAIL ${step.name.padEnd(15)}${took}${hint}\n${indented(outcome.output)}`);
    }
  }
  if (failedSteps.length > 0) console.log(`\nfailed: ${failedSteps.join(', ')}`);
  return { failedSteps, passed, failed };
}

if (isMain(import.meta)) {
  if (!existsSync(join(root, 'node_modules'))) {
    console.error('Nothing is installed yet: run "npm install" first, or "npm test", which installs by itself.');
    process.exitCode = 1;
  } else {
    const { failedSteps } = await runGate();
    process.exitCode = failedSteps.length === 0 ? 0 : 1;
  }
}
