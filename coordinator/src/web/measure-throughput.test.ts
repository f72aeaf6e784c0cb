import { describe, expect, it } from 'vitest';
import type { LogEntry } from '../domain/index.js';
import { measureThroughput } from './measure-throughput.js';

const done = (atMs: number, nonzeros: number): LogEntry => ({
  kind: 'task-done',
  text: 'done',
  atMs,
  report: {
    output: 'scan/0',
    nonzeros,
    fits: 2,
    bytesRead: 0,
    bytesWritten: 0,
    warnings: [],
    wallMs: 1,
    peakResidentBytes: 1,
  },
});

describe('throughput', () => {
  it('counts a task in the interval of its end, and nothing but finished tasks', () => {
    const granted: LogEntry = { kind: 'task-granted', text: '', atMs: 500 };
    const { binMs, bins, total } = measureThroughput([granted, done(500, 10), done(2500, 5), done(3000, 1)], 0, 3000);
    expect(binMs).toBe(1000);
    expect(bins.map(({ fromMs, nonzeros }) => [fromMs, nonzeros])).toEqual([
      [0, 10],
      [1000, 0],
      [2000, 6],
    ]);
    expect(total).toEqual({ tasks: 3, nonzeros: 16, fits: 6 });
  });

  it('of a long job has intervals of more seconds, of a job that has only begun one', () => {
    const hour = measureThroughput([], 0, 3_600_000);
    expect([hour.binMs, hour.bins.length]).toEqual([60_000, 60]);
    expect(measureThroughput([], 7, 7).bins).toEqual([{ fromMs: 7, tasks: 0, nonzeros: 0, fits: 0 }]);
  });
});
