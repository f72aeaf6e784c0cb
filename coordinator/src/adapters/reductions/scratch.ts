import { BundleReader, SCRATCH_NAMES, type JobContext, type ScanSummary } from '@shardex/shared/artifacts';
import { CancelledError, ResultLostError, ShardexError } from '@shardex/shared/errors';
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
}

/** Opens one artifact. @throws ResultLostError, naming it, when it is gone or damaged */
export async function openArtifact<Meta>(store: ObjectStore, name: string): Promise<BundleReader<Meta>> {
  try {
    return await BundleReader.open<Meta>(await store.open(name));
  } catch (error) {
    if (!(error instanceof ShardexError) || error.tag === 'StorageUnavailable') throw error;
    throw new ResultLostError(`${name} is no longer in scratch or is damaged`, {
      cause: error,
      details: { output: name },
    });
  }
}

/** Reads one artifact with `read` and closes it; damage found on the way makes it a lost result too. */
export async function withArtifact<Meta, Result>(
  store: ObjectStore,
  name: string,
  read: (reader: BundleReader<Meta>) => Promise<Result>,
): Promise<Result> {
  const reader = await openArtifact<Meta>(store, name);
  try {
    return await read(reader);
  } catch (error) {
    if (!(error instanceof ShardexError) || error.tag !== 'CorruptData') throw error;
    throw new ResultLostError(`${name} is damaged`, { cause: error, details: { output: name } });
  } finally {
    await reader.close();
  }
}

export async function openScope(
  scratchUri: string,
  outputs: Readonly<Record<string, readonly string[]>>,
  report: (fraction: number) => void,
  isCancelled: () => boolean,
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
    checkCancelled: () => {
      if (isCancelled()) throw new CancelledError('the job was cancelled');
    },
  };
}

export type ScanReader = BundleReader<ScanSummary>;
