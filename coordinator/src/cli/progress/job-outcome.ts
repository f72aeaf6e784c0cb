import { CancelledError, InvariantBrokenError } from '@shardex/shared/errors';
import { errorOfTag } from '@shardex/shared/rpc';
import { JobState, type Job } from '@shardex/proto';

/**
 * A job that has succeeded, as it is.
 *
 * @throws the job's own error when it failed; CancelledError when it was cancelled; InvariantBrokenError when it goes on
 */
export function requireSuccess(job: Job): Job {
  if (job.state === JobState.SUCCEEDED) return job;
  if (job.state === JobState.CANCELLED) throw cancelledJob();
  if (job.state === JobState.FAILED) {
    const { tag, message, hint, details } = job.failure ?? {
      tag: '',
      message: `job ${job.id} failed`,
      hint: '',
      details: {},
    };
    throw errorOfTag(tag, message, { hint, details });
  }
  throw new InvariantBrokenError(`the coordinator stopped telling about job ${job.id} before it ended`, {
    hint: `ask again with shardex status ${job.id}`,
  });
}

export const cancelledJob = (): CancelledError =>
  new CancelledError('cancelled; nothing was written', { hint: 'add --resume to the same command to go on from here' });
