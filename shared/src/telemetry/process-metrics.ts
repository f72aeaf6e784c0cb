import { collectDefaultMetrics, type Registry } from 'prom-client';

/** Gauges that prom-client names as if they were counters; `promtool check metrics` objects, and nothing here needs them. */
const MISNAMED = ['nodejs_active_resources_total', 'nodejs_active_handles_total', 'nodejs_active_requests_total'];

/** Adds what prom-client knows of a Node process: CPU, memory, open files, garbage collection, event-loop lag. */
export function collectProcessMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
}
