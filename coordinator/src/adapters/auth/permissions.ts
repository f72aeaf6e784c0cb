import { JobService, WorkerService } from '@shardex/proto';

/** What a caller may do: look at jobs and results, submit jobs and cancel them, cancel those of others too, or run their tasks. */
export const PERMISSIONS = ['read', 'submit', 'manage', 'work'] as const;
export type Permission = (typeof PERMISSIONS)[number];

/** Who calls, and what that allows. */
export interface Caller {
  /** As logs and limits name them; empty: nobody asked. */
  readonly name: string;
  readonly permissions: ReadonlySet<Permission>;
}

const CHANGES_JOBS: ReadonlySet<string> = new Set([JobService.method.submitJob.name, JobService.method.cancelJob.name]);

/** Probes have no certificate, and learn nothing but that the process is there. */
const HEALTH = 'grpc.health.v1.Health';

/**
 * What a method asks of its caller.
 *
 * @param path - as `/shardex.v1.JobService/SubmitJob`
 * @returns null: nothing
 */
export function permissionFor(path: string): Permission | null {
  const [, service, method = ''] = path.split('/');
  if (service === HEALTH) return null;
  if (service === WorkerService.typeName) return 'work';
  if (service === JobService.typeName && CHANGES_JOBS.has(method)) return 'submit';
  return 'read';
}

/** What else a permission brings: whoever may submit a job has to see how it goes. */
const IMPLIED: Readonly<Record<Permission, readonly Permission[]>> = {
  read: [],
  submit: ['read'],
  manage: ['submit', 'read'],
  work: [],
};

export const withImplied = (permissions: readonly Permission[]): ReadonlySet<Permission> =>
  new Set(permissions.flatMap((permission) => [permission, ...IMPLIED[permission]]));
