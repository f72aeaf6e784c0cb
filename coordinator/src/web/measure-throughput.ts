import type { LogEntry } from '../domain/index.js';
import type { Finished, Throughput } from './live-shapes.js';

const MAXIMUM_BINS = 60;
const LEAST_BIN_MS = 1000;

/**
 * What the tasks of a job finished, in up to 60 equal intervals of whole seconds.
 *
 * @param entries - the job's story; only `task-done` counts, and a task counts in the interval of its end
 */
export function measureThroughput(entries: readonly LogEntry[], fromMs: number, toMs: number): Throughput {
  const seconds = Math.ceil((toMs - fromMs) / MAXIMUM_BINS / LEAST_BIN_MS);
  const binMs = Math.max(1, seconds) * LEAST_BIN_MS;
  const bins: { -readonly [Key in keyof Finished]: number }[] = Array.from(
    { length: Math.min(MAXIMUM_BINS, Math.max(1, Math.ceil((toMs - fromMs) / binMs))) },
    (_, bin) => ({ fromMs: fromMs + bin * binMs, tasks: 0, nonzeros: 0, fits: 0 }),
  );
  const total = { tasks: 0, nonzeros: 0, fits: 0 };
  for (const { kind, atMs, report } of entries) {
    if (kind !== 'task-done') continue;
    const bin = bins[Math.min(bins.length - 1, Math.max(0, Math.floor((atMs - fromMs) / binMs)))];
    for (const sum of [bin, total]) {
      sum.tasks++;
      sum.nonzeros += report?.nonzeros ?? 0;
      sum.fits += report?.fits ?? 0;
    }
  }
  return { binMs, bins, total };
}
