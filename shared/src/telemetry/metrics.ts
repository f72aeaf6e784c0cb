import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { collectProcessMetrics } from './process-metrics.js';

/**
 * Values that a label can take, or null where only the caller knows them (methods of a service, versions).
 *
 * Series of listed values are exposed from the start, at zero: a rate over a counter that appears with its first event
 * would miss that event.
 */
export type LabelValues = readonly string[] | null;

export interface MetricSpec {
  readonly help: string;
  /** Few values each: never an identifier of a job, task or worker. */
  readonly labels: Readonly<Record<string, LabelValues>>;
}

export interface HistogramSpec extends MetricSpec {
  /** Upper bounds in the metric's unit, ascending. */
  readonly buckets: readonly number[];
}

/** What one process exposes; names and units by https://prometheus.io/docs/practices/naming. */
export interface MetricTable {
  readonly counters: Readonly<Record<string, MetricSpec>>;
  readonly gauges: Readonly<Record<string, MetricSpec>>;
  readonly histograms: Readonly<Record<string, HistogramSpec>>;
}

type LabelsOf<Spec extends MetricSpec> = {
  readonly [Name in keyof Spec['labels']]: Spec['labels'][Name] extends readonly (infer Value extends string)[]
    ? Value
    : string;
};
type Name<Specs> = keyof Specs & string;

/** Counts what a table names; a name, label or value that is not in it does not compile. */
export interface Metrics<Table extends MetricTable> {
  count<N extends Name<Table['counters']>>(name: N, labels: LabelsOf<Table['counters'][N]>, amount?: number): void;
  set<N extends Name<Table['gauges']>>(name: N, labels: LabelsOf<Table['gauges'][N]>, value: number): void;
  observe<N extends Name<Table['histograms']>>(name: N, labels: LabelsOf<Table['histograms'][N]>, value: number): void;
  /** Called before every exposition, for gauges that are worth computing only when someone looks. */
  beforeExpose(update: () => void): void;
  /** The exposition text that Prometheus scrapes, with its content type. */
  expose(): Promise<Exposition>;
}

export interface Exposition {
  readonly contentType: string;
  readonly text: string;
}

/** What serves an exposition needs to know of the metrics. */
export type MetricsSource = Pick<Metrics<MetricTable>, 'expose'>;

export interface MetricsOptions {
  /** Also CPU, memory, garbage collection and event-loop lag of this process. Default: no. */
  readonly process?: boolean;
}

/** A registry of its own each time: two coordinators in one process do not add to each other's figures. */
export function createMetrics<const Table extends MetricTable>(
  table: Table,
  options: MetricsOptions = {},
): Metrics<Table> {
  const registry = new Registry();
  const registers = [registry];
  const base = (name: string, { help, labels }: MetricSpec) => {
    return { name, help, labelNames: Object.keys(labels), registers };
  };
  const counters = mapValues(table.counters, (name, spec) => {
    const counter = new Counter(base(name, spec));
    for (const labels of knownSeries(spec)) counter.inc(labels, 0);
    return counter;
  });
  const gauges = mapValues(table.gauges, (name, spec) => {
    const gauge = new Gauge(base(name, spec));
    for (const labels of knownSeries(spec)) gauge.set(labels, 0);
    return gauge;
  });
  const histograms = mapValues(table.histograms, (name, spec) => {
    const histogram = new Histogram({ ...base(name, spec), buckets: [...spec.buckets] });
    for (const labels of knownSeries(spec)) histogram.zero(labels);
    return histogram;
  });
  if (options.process === true) collectProcessMetrics(registry);
  const updates: (() => void)[] = [];
  return {
    count: (name, labels, amount = 1) => counters[name].inc(labels, amount),
    set: (name, labels, value) => gauges[name].set(labels, value),
    observe: (name, labels, value) => histograms[name].observe(labels, value),
    beforeExpose: (update) => void updates.push(update),
    expose: async () => {
      for (const update of updates) update();
      return { contentType: registry.contentType, text: await registry.metrics() };
    },
  };
}

/** Every combination of listed label values; none when a label's values are not listed. */
function knownSeries({ labels }: MetricSpec): Record<string, string>[] {
  let series: Record<string, string>[] = [{}];
  for (const [name, values] of Object.entries(labels)) {
    series = series.flatMap((one) => (values ?? []).map((value) => ({ ...one, [name]: value })));
  }
  return series;
}

function mapValues<A, B>(table: Readonly<Record<string, A>>, make: (name: string, value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(table).map(([name, value]) => [name, make(name, value)]));
}
