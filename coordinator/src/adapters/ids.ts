import { randomBytes } from 'node:crypto';
import { jobId, workerId, type JobId, type WorkerId } from '@shardex/shared/ids';

/** Where new ids come from, injected so that tests know them beforehand. */
export interface IdSource {
  jobId(nowMs: number): JobId;
  workerId(host: string): WorkerId;
}

/** Ids that sort by time and are safe in file names and object keys: `20260131-235959-1f3a9c`, `w-node7-1f3a9c`. */
export const randomIds: IdSource = {
  jobId: (nowMs) => {
    const [date, time] = new Date(nowMs).toISOString().replaceAll(/[-:]/g, '').split(/[T.]/);
    return jobId(`${date}-${time}-${randomBytes(3).toString('hex')}`);
  },
  workerId: (host) => workerId(`w-${host.replaceAll(/[^\w-]/g, '-').slice(0, 40)}-${randomBytes(3).toString('hex')}`),
};
