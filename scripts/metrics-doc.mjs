/**
 * docs/metrics.md, made from the table of metrics of the built package `ops`, with alert rules that are checked against it.
 * Without an argument the file is written; `--check` changes nothing and fails if it differs from what the code says.
 */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { concludeDocument } from './generated-document.mjs';
import { markdownTable } from './protocol-tables.mjs';
import { conclude, isMain, root } from './workspace.mjs';

const PREFIX = 'holdfast_';

/** Rules worth waking somebody for, or looking at by day. `job` is what the operator calls the scrape. */
export const ALERTS = [
  { alert: 'HoldfastDown', expr: 'up{job="holdfast"} == 0', wait: '1m', severity: 'page', summary: 'The server does not answer.' },
  {
    alert: 'HoldfastStoreFails',
    expr: 'sum by (instance, code) (rate(holdfast_store_commit_failures_total[5m])) > 0',
    wait: '1m',
    severity: 'page',
    summary: 'The store does not take what is published ({{ $labels.code }}). Clients keep it and send it again.',
  },
  {
    alert: 'HoldfastCommitsSlow',
    expr: 'histogram_quantile(0.99, sum by (instance, le) (rate(holdfast_store_commit_duration_seconds_bucket[5m]))) > 0.25',
    wait: '10m',
    severity: 'ticket',
    summary: 'One commit in a hundred takes longer than 250 ms: the disk is slow or shared.',
  },
  {
    alert: 'HoldfastMemory',
    expr: 'holdfast_memory_bytes / on (instance) holdfast_limit{limit="memoryBytesMax"} > 0.9',
    wait: '5m',
    severity: 'page',
    summary: 'Nine tenths of the memory are in use; at the limit publishes and connections are refused.',
  },
  {
    alert: 'HoldfastConnectionsNearLimit',
    expr: 'sum by (instance) (holdfast_connections) / on (instance) holdfast_limit{limit="connectionsMax"} > 0.8',
    wait: '10m',
    severity: 'ticket',
    summary: 'Four fifths of the connections that there may be.',
  },
  {
    alert: 'HoldfastLimitReached',
    expr: 'sum by (instance, limit) (rate(holdfast_limit_reached_total[5m])) > 1',
    wait: '10m',
    severity: 'ticket',
    summary: 'The limit {{ $labels.limit }} is reached again and again: raise it, or find out who does it in the log.',
  },
  {
    alert: 'HoldfastInternalErrors',
    expr: 'sum by (instance) (rate(holdfast_errors_total{code="INTERNAL"}[5m])) > 0.1',
    wait: '5m',
    severity: 'ticket',
    summary: 'Hooks or methods fail; the log has the errors.',
  },
  {
    alert: 'HoldfastEventLoopSlow',
    expr: 'nodejs_eventloop_lag_p99_seconds{job="holdfast"} > 0.2',
    wait: '5m',
    severity: 'ticket',
    summary: 'The process is busy for 200 ms at a time: everything waits.',
  },
  {
    alert: 'HoldfastReconnects',
    expr: 'sum by (instance) (rate(holdfast_connections_opened_total[5m])) > 0.05 * sum by (instance) (holdfast_connections)',
    wait: '10m',
    severity: 'ticket',
    summary: 'Every twenty seconds as many come as there are: something cuts connections off, such as a proxy with a short timeout.',
  },
  {
    alert: 'HoldfastCertificateEnds',
    expr: 'holdfast_tls_certificate_expiry_timestamp_seconds - time() < 14 * 86400',
    wait: '1h',
    severity: 'ticket',
    summary: 'The certificate ends within two weeks.',
  },
];

/** Metrics that a rule names and the table has not; series of histograms, of Prometheus itself and of the process are known. */
export function unknownMetrics(alerts, METRICS) {
  const known = new Set(Object.keys(METRICS).map((name) => `${PREFIX}${name}`));
  return alerts.flatMap(({ alert, expr }) =>
    [...expr.matchAll(/holdfast_\w+/g)]
      .map(([name]) => name.replace(/_(bucket|sum|count)$/, ''))
      .filter((name) => !known.has(name))
      .map((name) => `${alert} names ${name}`),
  );
}

/** The whole document. */
export function metricsDocument(METRICS) {
  const rows = Object.entries(METRICS).map(([name, { type, labels, help }]) => [
    `\`${PREFIX}${name}\``,
    type,
    labels.map((label) => `\`${label}\``).join(', '),
    help,
  ]);
  const rules = ALERTS.map(
    ({ alert, expr, wait, severity, summary }) =>
      `      - alert: ${alert}\n        expr: '${expr}'\n        for: ${wait}\n        labels: { severity: ${severity} }\n        annotations: { summary: '${summary}' }\n`,
  );
  return `${HEAD}\n${markdownTable(['metric', 'type', 'labels', 'meaning'], rows)}\n${REST}
\`\`\`yaml
groups:
  - name: holdfast
    rules:
${rules.join('')}\`\`\`
`;
}

const HEAD = `# Metrics

<!-- Made from packages/ops/src/metric-table.ts by scripts/metrics-doc.mjs. -->

In the text format of Prometheus, at \`/metrics\` where \`createOperationsHandler\` of [@holdfast/ops](../packages/ops/README.md) serves it. Counters begin at 0 with the
process. No label names a topic, a subject or an address: the number of series does not grow with use. \`limit\` is one of [these](limits.md); \`code\` is one of
[PROTOCOL.md, HF-10](../PROTOCOL.md#hf-10-errors), or a close code. The \`holdfast_store_\` ones are there where the store is observed.
`;

const REST = `
Beside these are those of the process, as every program with prom-client has them: \`process_cpu_seconds_total\`, \`process_resident_memory_bytes\`,
\`nodejs_eventloop_lag_p99_seconds\`, \`nodejs_gc_duration_seconds\` and others.

## What to look at

- **Does it keep up?** \`rate(holdfast_entries_published_total[1m])\`, \`holdfast_unanswered_publishes\`, and the quantiles of \`holdfast_store_commit_duration_seconds\`.
- **Are batches forming?** \`holdfast_store_commit_publishes\`: with more load more publishes share one wait for the disk.
- **Do readers keep up?** \`holdfast_slow_connections\` against \`holdfast_connections\`, and \`holdfast_waiting_reads\`.
- **Is the network bad?** \`rate(holdfast_publishes_repeated_total[5m])\`: what was sent twice, and stored once.

## Alert rules
`;

async function main() {
  const file = join(root, 'packages/ops/dist/metric-table.js');
  if (!existsSync(file)) return conclude(['packages/ops is not built: npm run build'], '');
  const { METRICS } = await import(pathToFileURL(file).href);
  const unknown = unknownMetrics(ALERTS, METRICS);
  if (unknown.length > 0) return conclude(unknown, '');
  return concludeDocument('docs/metrics.md', metricsDocument(METRICS), 'scripts/metrics-doc.mjs', `${Object.keys(METRICS).length} metrics`);
}

if (isMain(import.meta)) await main();
