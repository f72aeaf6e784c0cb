import { Counter, Gauge, Registry } from 'prom-client';

/** What is counted, and by which labels. Labels have few values each: no job, task or worker ids. */
const COUNTERS = {
  shardex_jobs_total: { help: 'Jobs by what became of them', labels: ['state'] },
  shardex_tasks_total: { help: 'Attempts at tasks by how they went', labels: ['state'] },
  shardex_task_retries_total: { help: 'Tasks tried again, by the tag of the failure', labels: ['reason'] },
  shardex_lease_expiries_total: { help: 'Leases that ran out because nobody extended them', labels: [] },
  shardex_stale_reports_total: { help: 'Reports of attempts that were no longer current', labels: [] },
  shardex_workers_lost_total: { help: 'Workers that stopped answering', labels: [] },
  shardex_bytes_total: { help: 'Bytes that finished tasks read and wrote', labels: ['direction'] },
  shardex_nonzeros_total: { help: 'Nonzero counts that finished tasks went through', labels: [] },
  shardex_fits_total: { help: 'Models that finished tasks fitted', labels: [] },
} as const;

const GAUGES = {
  shardex_workers: { help: 'Workers registered now', labels: [] },
  shardex_tasks_held: { help: "Tasks in workers' hands now", labels: [] },
  shardex_jobs_active: { help: 'Jobs queued, running or cancelling now', labels: [] },
} as const;

export type CounterName = keyof typeof COUNTERS;
export type GaugeName = keyof typeof GAUGES;
export type MetricLabels = Readonly<Record<string, string>>;

/** The product's own figures; nothing is collected from the process unless asked by whoever scrapes. */
export interface Metrics {
  count(name: CounterName, amount?: number, labels?: MetricLabels): void;
  set(name: GaugeName, value: number): void;
  /** The exposition text that Prometheus scrapes, with its content type. */
  expose(): Promise<{ readonly contentType: string; readonly text: string }>;
}

/** A registry of its own each time: two coordinators in one process do not add to each other's figures. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const counters = mapValues(
    COUNTERS,
    (name, { help, labels }) => new Counter({ name, help, labelNames: labels, registers }),
  );
  const gauges = mapValues(GAUGES, (name, { help }) => new Gauge({ name, help, registers }));
  return {
    count: (name, amount = 1, labels = {}) => (counters[name] as Counter).inc(labels, amount),
    set: (name, value) => gauges[name].set(value),
    expose: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
  };
}

function mapValues<K extends string, A, B>(
  table: Readonly<Record<K, A>>,
  make: (name: K, value: A) => B,
): Record<K, B> {
  return Object.fromEntries(
    Object.entries(table).map(([name, value]) => [name, make(name as K, value as A)]),
  ) as Record<K, B>;
}
