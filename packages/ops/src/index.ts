export { createMetrics, type Metrics, type MetricsOptions } from './metrics.ts';
export { METRICS, type HubMetricName, type MetricName, type MetricRow, type StoreMetricName } from './metric-table.ts';
export { observeStore, type ObservedCommit, type ObservedRead, type ObservedStore, type StoreObserver } from './observed-store.ts';
export { createLogger, type LogDestination, type Logger, type LoggerOptions, type LogLevel } from './logger.ts';
export { logErrors, logEvents } from './event-log.ts';
export { createAccessLog, type AccessLogOptions, type AccessRecord } from './access-log.ts';
export { REDACTED, scrub, withoutQuery } from './secrets.ts';
export { createHealth, type Health, type HealthOptions, type Liveness, type Readiness, type ReadinessReason } from './health.ts';
export { createOperationsHandler, type OperationsHandler, type OperationsOptions } from './operations-handler.ts';
