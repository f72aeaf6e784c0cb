import type { BundleReader, ControlSummary } from '@shardex/shared/artifacts';
import { CancelledError } from '@shardex/shared/errors';
import type { KernelHeap, SortedControl } from '@shardex/shared/kernels';
import { frozenStatistics } from './frozen-control.js';
import type { JobData } from './job-data.js';
import type { TaskScope } from './task-scope.js';

/** The sorted columns of a run of genes in the heap, one set a stratum. */
export type ControlColumns = readonly SortedControl[];

const KEY = 'control-columns';

/** Share of a task's memory that columns may keep from task to task: as much as it plans for the data of its own. */
const KEPT_SHARE = 0.35;

/** Reads the sorted columns of one control output into the heap. */
export async function loadColumns(heap: KernelHeap, frozen: BundleReader<ControlSummary>): Promise<ControlColumns> {
  const { geneBegin, geneEnd, cells } = frozen.meta;
  const nGenes = geneEnd - geneBegin;
  const keys = heap.uninitialised(Float64Array, frozen.lengthOf('keys'));
  await frozen.f64Into('keys', keys);
  const offsets = heap.copyU32(await frozen.u32('keyOffsets'));
  const ties = heap.copyF64(await frozen.f64('tieSums'));
  const stratumCells = frozen.has('stratumCells') ? await frozen.u32('stratumCells') : [cells];
  return Array.from(stratumCells, (nCells, stratum) => ({
    keys,
    offsets: offsets.subarray(stratum * nGenes, (stratum + 1) * nGenes + 1),
    ties: ties.subarray(stratum * nGenes, (stratum + 1) * nGenes),
    nCells,
  }));
}

/** The columns of every control output, where the thread keeps them. */
export const keptColumns = (job: JobData): readonly ControlColumns[] | null =>
  (job.kept.get(KEY) as ControlColumns[] | undefined) ?? null;

/**
 * Empties the heap for a task, but for the control's sorted columns where they will be looked up: they stay from one fit of a
 * job to the next, if memory allows, below all that the tasks allocate.
 *
 * @throws CancelledError when the task was abandoned
 */
export async function prepareHeap({ heap, job, assignment, runtime }: TaskScope): Promise<void> {
  const { tests, reference } = job.context.parameters;
  const looksUp = assignment.spec.kind === 'fit' && tests.includes('wilcoxon') && reference === 'control';
  if (looksUp && keptColumns(job) !== null) return;
  job.kept.delete(KEY);
  heap.clear();
  if (!looksUp) return;
  const { chunks } = await frozenStatistics(job);
  const bytes = chunks.reduce((sum, chunk) => sum + chunk.lengthOf('keys') * Float64Array.BYTES_PER_ELEMENT, 0);
  if (bytes > assignment.memoryBytes * KEPT_SHARE) return;
  const columns: ControlColumns[] = [];
  for (const chunk of chunks) {
    if (runtime.signal.aborted) throw new CancelledError('the task was abandoned');
    columns.push(await loadColumns(heap, chunk));
  }
  job.kept.set(KEY, columns);
}
