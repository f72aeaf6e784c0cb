import {
  openArtifact,
  SCRATCH_NAMES,
  type BundleReader,
  type JobContext,
  type ScanSummary,
} from '@shardex/shared/artifacts';
import { CancelledError } from '@shardex/shared/errors';
import { openStore, type ObjectStore } from '@shardex/shared/storage';

/** What a reduction works with: the job's scratch, and how to say how far it is. */
export interface ReductionScope {
  readonly store: ObjectStore;
  readonly context: JobContext;
  /** Outputs of each worker stage, in task order. */
  readonly outputs: Readonly<Record<string, readonly string[]>>;
  report(fraction: number): void;
  /** @throws CancelledError when the job was cancelled */
  checkCancelled(): void;
  /** @throws StaleAttemptError when another process has taken over the output folder */
  confirmLock(): Promise<void>;
}

/** Reads one artifact with `read` and closes it. */
export async function withArtifact<Meta, Result>(
  store: ObjectStore,
  name: string,
  read: (reader: BundleReader<Meta>) => Promise<Result>,
): Promise<Result> {
  const reader = await openArtifact<Meta>(store, name);
  try {
    return await read(reader);
  } finally {
    await reader.close();
  }
}

export async function openScope(
  scratchUri: string,
  outputs: Readonly<Record<string, readonly string[]>>,
  report: (fraction: number) => void,
  isCancelled: () => boolean,
  confirmLock: () => Promise<void>,
): Promise<ReductionScope> {
  const store = openStore(scratchUri);
  const context = await withArtifact<JobContext, JobContext>(store, SCRATCH_NAMES.context, (reader) =>
    Promise.resolve(reader.meta),
  );
  return {
    store,
    context,
    outputs,
    report,
    confirmLock,
    checkCancelled: () => {
      if (isCancelled()) throw new CancelledError('the job was cancelled');
    },
  };
}

export type ScanReader = BundleReader<ScanSummary>;
