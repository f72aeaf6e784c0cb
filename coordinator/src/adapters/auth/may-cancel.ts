import { InvalidInputError } from '@shardex/shared/errors';
import type { CallContext } from '@shardex/shared/rpc';
import type { JobView } from '../../domain/index.js';

/**
 * A job is cancelled by whoever submitted it, and by those who may manage the jobs of others. One that was submitted where
 * nobody was asked belongs to all.
 *
 * @throws InvalidInputError when it is somebody else's
 */
export function requireMayCancel(
  { jobId, owner }: Pick<JobView, 'jobId' | 'owner'>,
  { caller, callerRights }: Pick<CallContext, 'caller' | 'callerRights'>,
): void {
  if (owner === '' || owner === caller || callerRights.has('manage')) return;
  throw new InvalidInputError(`job ${jobId} belongs to ${owner}`, {
    hint: 'ask them to cancel it, or use a token with the scope manage',
  });
}
