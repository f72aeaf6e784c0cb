import { InvariantBrokenError } from '@shardex/shared/errors';
import type { JobStateName, StageStateName, TaskStateName } from './job-state.js';

/** One legal move and what causes it; the diagram in docs/state-machine.md is drawn from these tables. */
export interface Move<State extends string> {
  readonly from: State;
  readonly to: State;
  readonly on: string;
}

export const JOB_MOVES: readonly Move<JobStateName>[] = [
  { from: 'queued', to: 'running', on: 'first task granted or first reduction begun' },
  { from: 'queued', to: 'cancelling', on: 'cancel' },
  { from: 'queued', to: 'failed', on: 'its first stage cannot be planned' },
  { from: 'running', to: 'succeeded', on: 'every stage done' },
  { from: 'running', to: 'failed', on: 'a task or a reduction failed for good' },
  { from: 'running', to: 'cancelling', on: 'cancel' },
  { from: 'cancelling', to: 'cancelled', on: 'nobody holds any of it' },
  { from: 'cancelling', to: 'succeeded', on: 'its last reduction was done before it heard of it' },
];

export const STAGE_MOVES: readonly Move<StageStateName>[] = [
  { from: 'waiting', to: 'planning', on: 'earlier stages done (workers)' },
  { from: 'waiting', to: 'reducing', on: 'earlier stages done (coordinator)' },
  { from: 'waiting', to: 'stopped', on: 'the job stops' },
  { from: 'planning', to: 'running', on: 'planned' },
  { from: 'planning', to: 'waiting', on: 'planning failed, another try' },
  { from: 'planning', to: 'failed', on: 'planning failed for good' },
  { from: 'planning', to: 'stopped', on: 'the job stops' },
  { from: 'running', to: 'done', on: 'every task done' },
  { from: 'running', to: 'failed', on: 'a task failed for good' },
  { from: 'running', to: 'stopped', on: 'the job stops' },
  { from: 'reducing', to: 'done', on: 'reduction done' },
  { from: 'reducing', to: 'waiting', on: 'reduction failed, another try' },
  { from: 'reducing', to: 'failed', on: 'reduction failed for good' },
  { from: 'reducing', to: 'stopped', on: 'the job stops' },
  { from: 'stopped', to: 'done', on: 'the last reduction was done before it heard of the cancel' },
  { from: 'done', to: 'running', on: 'an output of its tasks is lost' },
  { from: 'done', to: 'waiting', on: 'the output of its reduction is lost' },
  { from: 'done', to: 'failed', on: 'an output is lost too often' },
];

export const TASK_MOVES: readonly Move<TaskStateName>[] = [
  { from: 'ready', to: 'leased', on: 'granted to a worker' },
  { from: 'ready', to: 'dropped', on: 'the job stops' },
  { from: 'leased', to: 'leased', on: 'heartbeat, second attempt begun, or one of two ended' },
  { from: 'leased', to: 'done', on: 'completed by a current attempt' },
  { from: 'leased', to: 'ready', on: 'failed, expired, given back, or worker lost' },
  { from: 'leased', to: 'splitting', on: 'out of memory or time, or it cost two workers' },
  { from: 'leased', to: 'failed', on: 'not retryable, or too many failures' },
  { from: 'leased', to: 'abandoned', on: 'the job stops' },
  { from: 'splitting', to: 'split', on: 'its halves are planned' },
  { from: 'splitting', to: 'ready', on: 'halving failed, another try' },
  { from: 'splitting', to: 'failed', on: 'halving failed too often' },
  { from: 'splitting', to: 'dropped', on: 'the job stops' },
  { from: 'done', to: 'ready', on: 'its output is lost' },
  { from: 'done', to: 'failed', on: 'its output is lost too often' },
  { from: 'abandoned', to: 'abandoned', on: 'one of two workers let go' },
  { from: 'abandoned', to: 'dropped', on: 'the worker let go, was lost, or the lease ran out' },
];

const legal = <State extends string>(moves: readonly Move<State>[]): ReadonlySet<string> =>
  new Set(moves.map(({ from, to }) => `${from} → ${to}`));

const LEGAL = { job: legal(JOB_MOVES), stage: legal(STAGE_MOVES), task: legal(TASK_MOVES) } as const;

/**
 * The guard at every change of state.
 *
 * @param story - the entity's whole story, for whoever has to find the bug
 * @throws InvariantBrokenError when the table does not have the move
 */
export function assertMove(entity: keyof typeof LEGAL, from: string, to: string, story: () => string): void {
  if (LEGAL[entity].has(`${from} → ${to}`)) return;
  throw new InvariantBrokenError(`a ${entity} cannot go from ${from} to ${to}; ${story()}`, {
    hint: 'please report this as a bug',
    details: { entity, from, to },
  });
}
