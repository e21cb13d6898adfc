/**
 * Every metric that a server shows besides those of the process: one table, from which the metrics and docs/metrics.md are
 * made. No label names a topic, a subject or an address: there may be millions of them.
 */

export interface MetricRow {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly labels: readonly string[];
  /** One sentence, with the unit. */
  readonly help: string;
  /** Upper bounds of a histogram. */
  readonly buckets?: readonly number[];
}

/** From a quarter of a millisecond to what nobody should wait for, s. */
const SECONDS = [0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];
const COUNTS = [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 4_096];

/** Of the hub, read when they are asked for. */
export type HubMetricName =
  | 'connections'
  | 'connections_opened_total'
  | 'connections_closed_total'
  | 'slow_connections'
  | 'subscriptions'
  | 'members'
  | 'topics_loaded'
  | 'received_frames_total'
  | 'sent_frames_total'
  | 'received_bytes_total'
  | 'sent_bytes_total'
  | 'entries_published_total'
  | 'publishes_repeated_total'
  | 'unanswered_publishes'
  | 'unanswered_publish_bytes'
  | 'waiting_reads'
  | 'errors_total'
  | 'limit_reached_total'
  | 'limit'
  | 'accounts'
  | 'memory_bytes'
  | 'draining'
  | 'tls_certificate_expiry_timestamp_seconds'
  | 'build_info';

/** Of the store, noted as they happen. */
export type StoreMetricName =
  | 'store_commit_duration_seconds'
  | 'store_commit_publishes'
  | 'store_commit_failures_total'
  | 'store_read_duration_seconds';

/** The name of a metric, without the prefix. */
export type MetricName = HubMetricName | StoreMetricName;

// oxfmt-ignore
export const METRICS: Readonly<Record<MetricName, MetricRow>> = {
  connections: { type: 'gauge', labels: ['state'], help: 'Connections: `pending`, of which it is not known yet who they are, and `welcomed`.' },
  connections_opened_total: { type: 'counter', labels: [], help: 'Connections that came in.' },
  connections_closed_total: { type: 'counter', labels: ['code'], help: 'Connections that ended, by close code; codes that clients made up count as `other`.' },
  slow_connections: { type: 'gauge', labels: [], help: 'Connections that take what is sent to them too slowly at this moment, so that their cursors stand still.' },
  subscriptions: { type: 'gauge', labels: [], help: 'Subscriptions of all connections.' },
  members: { type: 'gauge', labels: [], help: 'Members on all topics, those included who are away for no longer than the grace time.' },
  topics_loaded: { type: 'gauge', labels: [], help: 'Topics in memory; the store has the others.' },
  received_frames_total: { type: 'counter', labels: [], help: 'Frames from clients.' },
  sent_frames_total: { type: 'counter', labels: [], help: 'Frames to clients.' },
  received_bytes_total: { type: 'counter', labels: [], help: 'Size of the frames from clients: bytes of binary frames, characters of text frames.' },
  sent_bytes_total: { type: 'counter', labels: [], help: 'Size of the frames to clients, counted in the same way.' },
  entries_published_total: { type: 'counter', labels: [], help: 'Entries that were committed.' },
  publishes_repeated_total: { type: 'counter', labels: [], help: 'Publishes that came again and got their first answer: what clients sent twice because a connection broke.' },
  unanswered_publishes: { type: 'gauge', labels: [], help: 'Publishes under way: with a hook, or waiting for their commit.' },
  unanswered_publish_bytes: { type: 'gauge', labels: [], help: 'Size of their payloads, bytes.' },
  waiting_reads: { type: 'gauge', labels: [], help: 'Readings of history that wait in line (`replayPagesMax`).' },
  errors_total: { type: 'counter', labels: ['code'], help: 'Errors told to clients, by code.' },
  limit_reached_total: { type: 'counter', labels: ['limit'], help: 'How often each limit was reached.' },
  limit: { type: 'gauge', labels: ['limit'], help: 'The value of each limit, in its own unit; +Inf: none.' },
  accounts: { type: 'gauge', labels: [], help: 'Subjects and addresses whose use is being counted.' },
  memory_bytes: { type: 'gauge', labels: [], help: 'Memory in use as `memoryBytesMax` counts it, bytes.' },
  draining: { type: 'gauge', labels: [], help: '1 while the server is going away, else 0.' },
  store_commit_duration_seconds: { type: 'histogram', labels: [], buckets: SECONDS, help: 'How long the store took to make one batch durable, s.' },
  store_commit_publishes: { type: 'histogram', labels: [], buckets: COUNTS, help: 'Publishes in one batch.' },
  store_commit_failures_total: { type: 'counter', labels: ['code'], help: 'Batches that the store did not take, by code.' },
  store_read_duration_seconds: { type: 'histogram', labels: [], buckets: SECONDS, help: 'How long the store took to read one page of history, s.' },
  tls_certificate_expiry_timestamp_seconds: { type: 'gauge', labels: [], help: 'When the certificate ends that new connections get, s since 1970. Absent without TLS.' },
  build_info: { type: 'gauge', labels: ['version', 'node'], help: 'Always 1; what is running.' },
};
