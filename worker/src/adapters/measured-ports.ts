import type { StageName } from '@shardex/shared/artifacts';
import { toShardexError } from '@shardex/shared/errors';
import type { CoordinatorPort } from './coordinator-port.js';
import type { TaskRunner } from './task-runner.js';
import type { CALLS, WorkerMetrics } from './worker-metrics.js';

/** The same coordinator, every call counted and timed. @param nowMs - Unix time */
export function measureCoordinator(
  coordinator: CoordinatorPort,
  metrics: WorkerMetrics,
  nowMs: () => number = Date.now,
): CoordinatorPort {
  const measured =
    <Arguments extends unknown[], Answer>(
      call: (typeof CALLS)[number],
      ask: (...args: Arguments) => Promise<Answer>,
    ): ((...args: Arguments) => Promise<Answer>) =>
    async (...args) => {
      const startedMs = nowMs();
      try {
        const answer = await ask(...args);
        metrics.count('shardex_worker_calls_total', { call, outcome: 'answered' });
        metrics.set('shardex_worker_last_contact_timestamp_seconds', {}, nowMs() / 1000);
        return answer;
      } catch (error) {
        metrics.count('shardex_worker_calls_total', { call, outcome: toShardexError(error, call).tag });
        throw error;
      } finally {
        metrics.observe('shardex_worker_call_duration_seconds', { call }, (nowMs() - startedMs) / 1000);
      }
    };
  return {
    address: coordinator.address,
    register: measured('register', (capabilities) => coordinator.register(capabilities)),
    pull: measured('pull', (workerId, waitMs, signal) => coordinator.pull(workerId, waitMs, signal)),
    heartbeat: measured('heartbeat', (workerId, progress, resident) =>
      coordinator.heartbeat(workerId, progress, resident),
    ),
    complete: measured('complete', (workerId, task, report) => coordinator.complete(workerId, task, report)),
    fail: measured('fail', (workerId, task, error) => coordinator.fail(workerId, task, error)),
    leave: measured('leave', (workerId, reason) => coordinator.leave(workerId, reason)),
    close: () => coordinator.close(),
  };
}

/** The same runner, every attempt counted by how it ended. */
export function measureRunner(runner: TaskRunner, metrics: WorkerMetrics): TaskRunner {
  return {
    run: async (task, onProgress) => {
      const outcome = await runner.run(task, onProgress);
      const stage = task.stage as StageName;
      metrics.count('shardex_worker_tasks_total', { stage, outcome: outcome.kind });
      if (outcome.kind === 'failed') {
        metrics.count('shardex_worker_task_failures_total', { reason: outcome.error.tag });
        return outcome;
      }
      const { bytesRead, bytesWritten, nonzeros, fits, wallMs } = outcome.report;
      metrics.count('shardex_worker_read_bytes_total', { stage }, bytesRead);
      metrics.count('shardex_worker_written_bytes_total', { stage }, bytesWritten);
      metrics.count('shardex_worker_nonzeros_total', {}, nonzeros);
      metrics.count('shardex_worker_fits_total', {}, fits);
      metrics.observe('shardex_worker_task_duration_seconds', { stage }, wallMs / 1000);
      return outcome;
    },
    abandon: (key) => runner.abandon(key),
    close: () => runner.close(),
  };
}
