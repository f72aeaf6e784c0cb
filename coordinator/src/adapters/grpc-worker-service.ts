import type { WorkerService } from '@shardex/proto';
import { InvalidInputError, UnsupportedDataError } from '@shardex/shared/errors';
import { taskId, workerId } from '@shardex/shared/ids';
import { MAX_PULL_WAIT_MS, errorOfTag, leaseToWire, reportFromWire, type Handlers } from '@shardex/shared/rpc';
import type { JobEngine } from './job-engine.js';
import { toFailure } from './job-work.js';
import { PRODUCT_VERSION } from './planner/index.js';

/** What workers say, as calls of the engine. */
export function workerHandlers(engine: JobEngine): Handlers<typeof WorkerService> {
  return {
    registerWorker: async ({ capabilities }) => {
      if (capabilities === undefined) throw new InvalidInputError('a worker registered without saying what it can do');
      const { version, host, pid, threads, memoryBytes } = capabilities;
      requireSameVersion(version, host);
      const { heartbeatMs, leaseMs } = engine.options;
      const id = engine.register({ version, host, pid, threads, memoryBytes: Number(memoryBytes) });
      return { workerId: id, heartbeatIntervalMs: heartbeatMs, leaseMs };
    },
    pullTask: async (request, { signal }) => {
      const waitMs = Math.min(request.waitMs, MAX_PULL_WAIT_MS);
      const grant = await engine.pull(workerId(request.workerId), waitMs, signal);
      return grant === null ? {} : { lease: leaseToWire(grant) };
    },
    heartbeat: async (request) => {
      const progress = request.progress.map((one) => ({ ...one, taskId: taskId(one.taskId) }));
      const answer = engine.heartbeat(workerId(request.workerId), progress, Number(request.residentBytes));
      return { abandonTaskIds: [...answer.abandon], unknownWorker: answer.unknownWorker };
    },
    completeTask: async ({ report, ...claim }) => {
      if (report === undefined) throw new InvalidInputError(`task ${claim.taskId} was completed without a report`);
      return { accepted: engine.complete(claimFrom(claim), reportFromWire(report)) };
    },
    failTask: async ({ tag, message, hint, details, ...claim }) => {
      const failure = toFailure(errorOfTag(tag, message, { hint, details }), 'running a task');
      return { accepted: engine.fail(claimFrom(claim), failure) };
    },
    drainWorker: async (request) => {
      engine.drain(workerId(request.workerId), request.reason);
      return {};
    },
  };
}

/**
 * Another version may compute other bytes, or read scratch differently: within one job nobody would notice.
 *
 * @throws UnsupportedDataError, which ends the worker
 */
function requireSameVersion(version: string, host: string): void {
  if (version === PRODUCT_VERSION) return;
  const worker = host === '' ? 'the worker' : `the worker on ${host}`;
  throw new UnsupportedDataError(
    `${worker} is shardex ${version === '' ? 'of an unknown version' : version}, the coordinator ${PRODUCT_VERSION}`,
    { hint: 'install the same version on both' },
  );
}

const claimFrom = (claim: { readonly workerId: string; readonly taskId: string; readonly attempt: number }) => ({
  workerId: workerId(claim.workerId),
  taskId: taskId(claim.taskId),
  attempt: claim.attempt,
});
