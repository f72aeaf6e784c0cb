import type { Tracing } from '@shardex/shared/telemetry';
import type { TaskRunner } from './task-runner.js';

/** The same runner, every attempt a span under that of its coordinator. @param nowMs - Unix time */
export function traceRunner(runner: TaskRunner, tracing: Tracing, nowMs: () => number = Date.now): TaskRunner {
  return {
    run: async (task, onProgress) => {
      const span = tracing.start(`run ${task.stage}`, {
        kind: 'server',
        parent: task.traceParent ?? '',
        atMs: nowMs(),
        attributes: {
          'shardex.job.id': task.jobId,
          'shardex.stage': task.stage,
          'shardex.task.id': task.taskId,
          'shardex.attempt': task.attempt,
        },
      });
      const outcome = await runner.run(task, onProgress);
      if (outcome.kind === 'completed') {
        const { bytesRead, bytesWritten, nonzeros, fits } = outcome.report;
        span.describe({ 'shardex.bytes_read': bytesRead, 'shardex.bytes_written': bytesWritten });
        span.describe({ 'shardex.nonzeros': nonzeros, 'shardex.fits': fits });
      } else span.fail(outcome.error.tag, outcome.error.message, nowMs());
      span.describe({ 'shardex.outcome': outcome.kind });
      span.end(nowMs());
      return outcome;
    },
    abandon: (key) => runner.abandon(key),
    close: () => runner.close(),
  };
}
