import type { DeParameters, ExistingOutputChoice } from '@shardex/shared/config';
import { InvariantBrokenError } from '@shardex/shared/errors';
import { connectRpc, parametersToWire, streamCall, unaryCall, type ChannelSecurity } from '@shardex/shared/rpc';
import { ExistingOutput, JobService, type Job, type JobEvent } from '@shardex/proto';
import type { JobUpdate } from './progress/job-view.js';

/** What the command line asks of a running coordinator. Every method rejects with the coordinator's own error. */
export interface CoordinatorClient {
  submit(parameters: DeParameters, existingOutput: ExistingOutputChoice): Promise<Job>;
  get(jobId: string): Promise<Job>;
  /** Newest first. */
  list(limit: number): Promise<readonly Job[]>;
  /** The job now and at every change until it has ended. */
  watch(jobId: string, signal: AbortSignal): AsyncIterable<JobUpdate>;
  cancel(jobId: string, reason: string): Promise<Job>;
  events(jobId: string): Promise<readonly JobEvent[]>;
  close(): void;
}

const WIRE_EXISTING_OUTPUT: Readonly<Record<ExistingOutputChoice, ExistingOutput>> = {
  refuse: ExistingOutput.UNSPECIFIED,
  force: ExistingOutput.FORCE,
  resume: ExistingOutput.RESUME,
};

function present(job: Job | undefined, call: string): Job {
  if (job !== undefined) return job;
  throw new InvariantBrokenError(`the coordinator answered ${call} without a job`, {
    hint: 'use the same version of shardex on both sides',
  });
}

/**
 * @param address - HOST:PORT; the connection is made at the first call
 * @param security - default: none
 */
export function connectCoordinator(address: string, security?: ChannelSecurity): CoordinatorClient {
  const client = connectRpc(address, security);
  const methods = JobService.method;
  return {
    async submit(parameters, existingOutput) {
      const request = { spec: parametersToWire(parameters), existingOutput: WIRE_EXISTING_OUTPUT[existingOutput] };
      return present((await unaryCall(client, methods.submitJob, request)).job, 'SubmitJob');
    },
    async get(jobId) {
      return present((await unaryCall(client, methods.getJob, { jobId })).job, 'GetJob');
    },
    async list(limit) {
      return (await unaryCall(client, methods.listJobs, { limit })).jobs;
    },
    async *watch(jobId, signal) {
      for await (const { job, events } of streamCall(client, methods.watchJob, { jobId }, { signal })) {
        yield { job: present(job, 'WatchJob'), events };
      }
    },
    async cancel(jobId, reason) {
      return present((await unaryCall(client, methods.cancelJob, { jobId, reason })).job, 'CancelJob');
    },
    async events(jobId) {
      return (await unaryCall(client, methods.listJobEvents, { jobId })).events;
    },
    close: () => client.close(),
  };
}
