import {
  encodeBundle,
  SCRATCH_NAMES,
  type GeneMeansSummary,
  type RatiosSummary,
  type ScanSummary,
  type BundleReader,
  type TaskSpec,
} from '@shardex/shared/artifacts';
import { isRatioMethod } from '@shardex/shared/config';
import { CancelledError, InvariantBrokenError } from '@shardex/shared/errors';
import { CompactRowDecoder, MAX_COMPACT_BYTES } from '@shardex/shared/kernels';
import { MedianOfRatios } from '@shardex/shared/stats';
import type { TaskOutput } from './commit.js';
import type { TaskScope } from './task-scope.js';

type RatiosSpec = Extract<TaskSpec, { kind: 'ratios' }>;

/** Rows and nonzeros of one block, as in `GroupRows`. */
const BLOCK_ROWS = 8192;
const BLOCK_NONZEROS = 1 << 20;

/** Reads the rows of one scan output and finds each cell's median of ratios to the job's reference profile. */
export async function runRatios(scope: TaskScope, spec: RatiosSpec): Promise<TaskOutput> {
  const { job } = scope;
  const { sizeFactors } = job.context.parameters;
  if (!isRatioMethod(sizeFactors)) throw new InvariantBrokenError(`size factors "${sizeFactors}" need no ratios`);
  const { profile, groupKept } = await readProfile(scope);
  const outputs = await job.outputsOf('scan');
  const scan = await job.open<ScanSummary>(outputs[spec.scan]);
  try {
    return await medians(scope, scan, new MedianOfRatios(sizeFactors, profile), groupKept);
  } finally {
    await scan.close();
  }
}

interface Profile {
  readonly profile: Float64Array;
  readonly groupKept: Uint8Array;
}

async function readProfile({ job }: TaskScope): Promise<Profile> {
  const cached = job.kept.get('profile') as Profile | undefined;
  if (cached !== undefined) return cached;
  const reader = await job.open<GeneMeansSummary>(SCRATCH_NAMES.geneMeans);
  try {
    const profile = { profile: await reader.f64('logProfile'), groupKept: await reader.u8('groupKept') };
    job.kept.set('profile', profile);
    return profile;
  } finally {
    await reader.close();
  }
}

async function medians(
  { job, heap, runtime }: TaskScope,
  scan: BundleReader<ScanSummary>,
  ratios: MedianOfRatios,
  groupKept: Uint8Array,
): Promise<TaskOutput> {
  const { nGenes } = job.context;
  const { rowBegin, rowEnd } = scan.meta;
  const [groupRows, rowIds] = [await scan.u32('groupRows'), await scan.u32('rowIds')];
  const [rowOffsets, rowNonzeros] = [await scan.u32('rowOffsets'), await scan.u32('rowNonzeros')];
  const maxNonzeros = Math.max(BLOCK_NONZEROS, nGenes);
  const maxBytes = maxNonzeros * MAX_COMPACT_BYTES.count;
  const decoder = new CompactRowDecoder(heap, 'count', { maxRows: BLOCK_ROWS, maxNonzeros, maxBytes });
  const median = new Float64Array(rowEnd - rowBegin).fill(NaN);
  let bytesRead = 0;
  let nonzeros = 0;
  let group = 0;
  // Blocks go across groups: a screen has many small ones, and a read has its price.
  for (let begin = 0; begin < rowIds.length;) {
    if (runtime.signal.aborted) throw new CancelledError('the task was abandoned');
    const end = blockEnd(rowNonzeros, begin, maxNonzeros);
    const bytes = await scan.u8('rows', rowOffsets[begin], rowOffsets[end]);
    const { indptr, indices, counts } = decoder.decodeCounts(bytes, rowOffsets.subarray(begin, end + 1), 0, nGenes);
    for (let row = begin; row < end; row++) {
      while (row >= groupRows[group + 1]) group++;
      if (groupKept[group] === 0) continue;
      median[rowIds[row] - rowBegin] = ratios.of(indices, counts, indptr[row - begin], indptr[row - begin + 1]);
      nonzeros += rowNonzeros[row];
    }
    bytesRead += bytes.length;
    begin = end;
    runtime.progress(begin / rowIds.length);
  }
  const meta: RatiosSummary = { rowBegin, rowEnd };
  return { parts: encodeBundle(meta, { median }), bytesRead, nonzeros, fits: 0, warnings: [] };
}

/** As many rows from `begin` as one block holds, at least one. */
function blockEnd(rowNonzeros: Uint32Array, begin: number, maxNonzeros: number): number {
  let nonzeros = rowNonzeros[begin];
  let end = begin + 1;
  while (end < rowNonzeros.length && end - begin < BLOCK_ROWS && nonzeros + rowNonzeros[end] <= maxNonzeros) {
    nonzeros += rowNonzeros[end++];
  }
  return end;
}
