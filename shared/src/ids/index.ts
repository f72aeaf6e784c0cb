/** Distinct types for identifiers, so that a worker's id can never be passed where a task's is meant. */
declare const brand: unique symbol;
type Id<Name extends string> = string & { readonly [brand]: Name };

export type JobId = Id<'JobId'>;
export type TaskId = Id<'TaskId'>;
export type WorkerId = Id<'WorkerId'>;

export const jobId = (text: string): JobId => text as JobId;
export const taskId = (text: string): TaskId => text as TaskId;
export const workerId = (text: string): WorkerId => text as WorkerId;
