import type { JobService } from '@shardex/proto';
import { InvalidInputError } from '@shardex/shared/errors';
import { STREAM_CHUNK_BYTES, parametersFromWire, testFromWire, type Handlers } from '@shardex/shared/rpc';
import { requireMayCancel, type JobQuota } from './auth/index.js';
import { entryToWire, existingOutputFromWire, jobToWire } from './grpc-job-messages.js';
import type { JobEngine } from './job-engine.js';

/** What people and programs ask, as calls of the engine. */
export function jobHandlers(engine: JobEngine, quota: JobQuota): Handlers<typeof JobService> {
  return {
    submitJob: async ({ spec, existingOutput }, { caller }) => {
      if (spec === undefined) throw new InvalidInputError('the request carries no job', { hint: 'set spec' });
      const parameters = parametersFromWire(spec);
      const submission = { parameters, existingOutput: existingOutputFromWire(existingOutput) };
      const view = await quota.submit(caller, () =>
        engine.submit(caller === '' ? submission : { ...submission, owner: caller }),
      );
      return { job: jobToWire(view) };
    },
    getJob: async ({ jobId }) => ({ job: jobToWire(engine.view(jobId)) }),
    listJobs: async ({ limit }) => ({ jobs: engine.list(limit).map(jobToWire) }),
    watchJob: async function* ({ jobId }, { signal }) {
      for await (const { view, entries } of engine.watch(jobId, signal)) {
        yield { job: jobToWire(view), events: entries.map(entryToWire) };
      }
    },
    cancelJob: async ({ jobId, reason }, context) => {
      requireMayCancel(engine.view(jobId), context);
      return { job: jobToWire(await engine.cancel(jobId, reason === '' ? 'no reason given' : reason)) };
    },
    listJobEvents: async ({ jobId }) => ({ events: engine.entries(jobId).map(entryToWire) }),
    getResults: async function* ({ jobId, test, perturbation, top }) {
      const request = {
        test: testFromWire(test),
        perturbation: perturbation === '' ? null : perturbation,
        top: top === 0 ? null : top,
      };
      for await (const bytes of engine.results(jobId, request)) {
        for (let begin = 0; begin < bytes.length; begin += STREAM_CHUNK_BYTES) {
          yield { chunk: bytes.subarray(begin, begin + STREAM_CHUNK_BYTES) };
        }
      }
    },
  };
}
