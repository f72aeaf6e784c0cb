import {
  SCRATCH_NAMES,
  type BundleReader,
  type ControlSummary,
  type JobContext,
  type TrendSummary,
} from '@shardex/shared/artifacts';
import { hasScreenDispersions } from '@shardex/shared/config';
import { MomentColumn } from '@shardex/shared/kernels';
import { DENSE_COUNTS, type CountHistogramArrays } from '@shardex/shared/stats';
import { needsCountTotals } from './count-totals.js';
import type { JobData } from './job-data.js';
import { nbEngineOf } from './nb-engine.js';

/**
 * Statistics of all genes of the control, as the fits need them; with another `--reference` those of all cells that take
 * part. Outside the heap; shared by a thread's tasks of a job.
 */
export interface FrozenStatistics {
  readonly cells: number;
  readonly nExpressing: Uint32Array;
  /** Four sums a gene, columns as `MomentColumn`. */
  readonly moments: Float64Array;
  /** Σ y of each gene; null where nothing asks for it. */
  readonly sumCounts: Float64Array | null;
  /** Present when the NB-GLM is asked for: measures of all genes. */
  readonly nb: FrozenMeasures | null;
  /** Control outputs in gene order, for the sorted columns or the rank sums. */
  readonly chunks: readonly BundleReader<ControlSummary>[];
}

export interface FrozenMeasures {
  readonly S: Float64Array;
  readonly N: Float64Array;
  readonly sumCounts: Float64Array;
  /** Q of the measures; null where nothing asks for it. */
  readonly squares: Float64Array | null;
  /** How many cells have each count; null unless comparisons have dispersions of their own. */
  readonly histogram: CountHistogramArrays | null;
  /** Of each gene; NaN where comparisons have their own. */
  readonly dispersions: Float64Array;
}

/** Sums a gene in `moments`. */
const MOMENTS = Object.keys(MomentColumn).length;

const KEY = 'frozen-control';

/** Reads the control's statistics once a job and thread. */
export async function frozenStatistics(job: JobData): Promise<FrozenStatistics> {
  const cached = job.kept.get(KEY) as Promise<FrozenStatistics> | undefined;
  if (cached !== undefined) return cached;
  const loading = load(job);
  job.kept.set(KEY, loading);
  return loading;
}

async function load(job: JobData): Promise<FrozenStatistics> {
  const { nGenes, parameters } = job.context;
  const chunks: BundleReader<ControlSummary>[] = [];
  for (const name of await job.outputsOf('control')) chunks.push(await job.open<ControlSummary>(name));
  const withNb = parameters.tests.includes('nb-glm');
  const parts = frozenParts(job.context);
  const nNodes = withNb ? chunks[0].lengthOf('N') : 0;
  const moments = new Float64Array(nGenes * MOMENTS);
  const sumCounts = new Float64Array(nGenes);
  const nExpressing = new Uint32Array(nGenes);
  const S = new Float64Array(nGenes * nNodes);
  const squares = parts.squares ? new Float64Array(nGenes * nNodes) : null;
  const dense = parts.histogram ? new Uint32Array(nGenes * DENSE_COUNTS) : null;
  const overflow: number[] = [];
  for (const chunk of chunks) {
    const at = chunk.meta.geneBegin;
    nExpressing.set(await chunk.u32('nExpressing'), at);
    moments.set(await chunk.f64('moments'), at * MOMENTS);
    if (parts.sumCounts) sumCounts.set(await chunk.f64('sumCounts'), at);
    if (withNb) S.set(await chunk.f64('S'), at * nNodes);
    squares?.set(await chunk.f64('squares'), at * nNodes);
    if (dense === null) continue;
    dense.set(await chunk.u32('histogramDense'), at * DENSE_COUNTS);
    // Triples of gene, count and cells; genes are numbered within the chunk.
    for (const [i, value] of (await chunk.u32('histogramOverflow')).entries()) {
      overflow.push(i % 3 === 0 ? value + at : value);
    }
  }
  const nb: FrozenMeasures | null = !withNb
    ? null
    : {
        S,
        N: await chunks[0].f64('N'),
        sumCounts,
        squares,
        histogram: dense && { nGenes, dense, overflow: Uint32Array.from(overflow) },
        dispersions: await readDispersions(job),
      };
  const { cells } = chunks[0].meta;
  return { cells, nExpressing, moments, sumCounts: parts.sumCounts ? sumCounts : null, nb, chunks };
}

/** What the control task writes beyond the sums that every run needs. */
export function frozenParts(context: JobContext): { sumCounts: boolean; squares: boolean; histogram: boolean } {
  const { parameters } = context;
  const withNb = parameters.tests.includes('nb-glm');
  const byMeasures = withNb && nbEngineOf(context) === 'measures';
  const hasOwn = byMeasures && parameters.dispersionScope === 'per-comparison';
  const ownMoments = hasOwn && parameters.dispersionEstimator === 'moments';
  return {
    sumCounts: withNb || needsCountTotals(parameters),
    squares: ownMoments || (byMeasures && parameters.standardErrors === 'robust'),
    histogram: hasOwn,
  };
}

async function readDispersions(job: JobData): Promise<Float64Array> {
  const { nGenes, parameters } = job.context;
  if (!hasScreenDispersions(parameters)) return new Float64Array(nGenes).fill(parameters.dispersion ?? NaN);
  const trend = await job.open<TrendSummary>(SCRATCH_NAMES.trend);
  try {
    return await trend.f64('final');
  } finally {
    await trend.close();
  }
}
