import { describe, expect, it } from 'vitest';
import { InvalidInputError, StorageUnavailableError } from '@shardex/shared/errors';
import { JobState, type Job } from '@shardex/proto';
import type { CoordinatorClient } from '../coordinator-client.js';
import { fakeJob } from '../testing/fake-job.js';
import { followJob } from './follow-job.js';
import { requireSuccess } from './job-outcome.js';
import type { JobUpdate } from './job-view.js';

const running = fakeJob(JobState.RUNNING, []);
const succeeded = fakeJob(JobState.SUCCEEDED, []);
const cancelled = fakeJob(JobState.CANCELLED, []);

/** A client whose watch gives the scripted streams one after the other; an error ends its stream. */
function scripted(
  streams: readonly (readonly (Job | Error | (() => Promise<void>))[])[],
): CoordinatorClient & { cancels: string[] } {
  let next = 0;
  const cancels: string[] = [];
  return {
    cancels,
    submit: async () => running,
    get: async () => running,
    list: async () => [],
    events: async () => [],
    close: () => undefined,
    cancel: async (jobId) => {
      cancels.push(jobId);
      return running;
    },
    async *watch(): AsyncGenerator<JobUpdate> {
      for (const step of streams[next++] ?? []) {
        if (step instanceof Error) throw step;
        if (typeof step === 'function') await step();
        else yield { job: step, events: [] };
      }
    },
  };
}

const wait = async (): Promise<void> => undefined;
const silent = { update: () => undefined, end: () => undefined };
const gone = new StorageUnavailableError('nobody answers');

describe('following a job', () => {
  it('ends with the job', async () => {
    const seen: JobState[] = [];
    const renderer = { update: ({ job }: JobUpdate) => void seen.push(job.state), end: () => undefined };
    const signal = new AbortController().signal;
    const job = await followJob(scripted([[running, succeeded, running]]), 'job-1', renderer, {
      signal,
      onInterrupt: 'cancel',
      wait,
    });
    expect(job.state).toBe(JobState.SUCCEEDED);
    expect(seen).toEqual([JobState.RUNNING, JobState.SUCCEEDED]);
  });

  it('takes up a stream that broke or ended early', async () => {
    const signal = new AbortController().signal;
    const client = scripted([[running, gone], [gone], [running], [succeeded]]);
    const job = await followJob(client, 'job-1', silent, { signal, onInterrupt: 'leave', wait });
    expect(job.state).toBe(JobState.SUCCEEDED);
  });

  it('gives up when the coordinator stays away, and at once when it never was there', async () => {
    const signal = new AbortController().signal;
    const following = { signal, onInterrupt: 'leave', wait } as const;
    const away = scripted([[running, gone], ...Array.from({ length: 100 }, () => [gone])]);
    await expect(followJob(away, 'job-1', silent, following)).rejects.toBe(gone);
    await expect(followJob(scripted([[gone], [succeeded]]), 'job-1', silent, following)).rejects.toBe(gone);
  });

  it('passes on what the coordinator finds wrong', async () => {
    const unknown = new InvalidInputError('there is no job x');
    const signal = new AbortController().signal;
    await expect(followJob(scripted([[unknown]]), 'x', silent, { signal, onInterrupt: 'leave', wait })).rejects.toBe(
      unknown,
    );
  });

  it('cancels the job on an interrupt and follows it to its end', async () => {
    const controller = new AbortController();
    const client = scripted([[running, async () => controller.abort(), running, cancelled]]);
    const job = await followJob(client, 'job-1', silent, { signal: controller.signal, onInterrupt: 'cancel', wait });
    expect(client.cancels).toEqual(['job-1']);
    expect(job.state).toBe(JobState.CANCELLED);
  });

  it('leaves the job alone on an interrupt of a mere watcher', async () => {
    const controller = new AbortController();
    const client = scripted([[running, async () => controller.abort(), gone]]);
    const job = await followJob(client, 'job-1', silent, { signal: controller.signal, onInterrupt: 'leave', wait });
    expect(client.cancels).toEqual([]);
    expect(job.state).toBe(JobState.RUNNING);
  });
});

describe('the outcome of a job', () => {
  it('is an error of the family that the failure names', () => {
    const failure = { tag: 'ResourceExhausted', message: 'the disk is full', hint: 'free some space', details: {} };
    const failed = fakeJob(JobState.FAILED, [], { failure: failure as unknown as Job['failure'] });
    expect(() => requireSuccess(failed)).toThrow(
      expect.objectContaining({ tag: 'ResourceExhausted', hint: 'free some space' }),
    );
    expect(() => requireSuccess(cancelled)).toThrow('cancelled; nothing was written');
    expect(() => requireSuccess(running)).toThrow('before it ended');
    expect(requireSuccess(succeeded)).toBe(succeeded);
  });
});
