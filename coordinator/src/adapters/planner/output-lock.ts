import { isS3Uri } from '@shardex/shared/storage';
import { systemClock } from '../clock.js';
import { FolderLock, type LockToken } from '../lock/index.js';

/** The right to write to one output folder. */
export interface OutputLock {
  /** null on S3, where the conditional write of `run.json` decides between two runs. */
  readonly token: LockToken | null;
  /** @throws StaleAttemptError when somebody else has taken over */
  confirm(): Promise<void>;
  release(): Promise<void>;
}

/**
 * Takes an output folder for one run: the second one would clear away what the first has half written.
 *
 * @throws InvalidInputError, naming the process that writes there
 */
export async function takeOutput(output: string): Promise<OutputLock> {
  if (isS3Uri(output)) return { token: null, confirm: () => Promise.resolve(), release: () => Promise.resolve() };
  return FolderLock.take(output, {
    clock: systemClock,
    refusal: 'another run is writing to',
    hint: 'wait for it to end, or choose another --out',
  });
}
