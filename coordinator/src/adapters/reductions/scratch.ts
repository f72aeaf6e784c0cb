import {
  openArtifact,
  SCRATCH_NAMES,
  type BundleReader,
  type JobContext,
  type ScanSummary,
} from '@shardex/shared/artifacts';
import { CancelledError } from '@shardex/shared/errors';
import { openStore, type ObjectStore } from '@shardex/shared/storage';

/** What makes a scope, by value: another thread can open it too. */
export interface ScopeShare {
  readonly scratchUri: string;
  readonly outputs: Readonly<Record<string, readonly string[]>>;
  /** One Int32: 1 asks to stop. */
  readonly cancelFlag: SharedArrayBuffer;
}

/** What a reduction works with: the job's scratch, and how to say how far it is. */
export interface ReductionScope {
  readonly share: ScopeShare;
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
  { scratchUri, outputs, cancelFlag }: ScopeShare,
  { report, confirmLock }: Partial<Pick<ReductionScope, 'report' | 'confirmLock'>> = {},
): Promise<ReductionScope> {
  const store = openStore(scratchUri);
  const context = await withArtifact<JobContext, JobContext>(store, SCRATCH_NAMES.context, (reader) =>
    Promise.resolve(reader.meta),
  );
  const cancelled = new Int32Array(cancelFlag);
  return {
    share: { scratchUri, outputs, cancelFlag },
    store,
    context,
    outputs,
    report: report ?? (() => undefined),
    confirmLock: confirmLock ?? (() => Promise.resolve()),
    checkCancelled: () => {
      if (Atomics.load(cancelled, 0) === 1) throw new CancelledError('the job was cancelled');
    },
  };
}

export type ScanReader = BundleReader<ScanSummary>;
