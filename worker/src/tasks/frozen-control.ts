import { SCRATCH_NAMES, type BundleReader, type ControlSummary, type TrendSummary } from '@shardex/shared/artifacts';
import { hasScreenDispersions } from '@shardex/shared/config';
import { MomentColumn } from '@shardex/shared/kernels';
import type { JobData } from './job-data.js';

/**
 * Statistics of all genes of the control, as the fits need them; with another `--reference` those of all cells that take
 * part. Outside the heap; shared by a thread's tasks of a job.
 */
export interface FrozenStatistics {
  readonly cells: number;
  readonly nExpressing: Uint32Array;
  /** Four sums a gene, columns as `MomentColumn`. */
  readonly moments: Float64Array;
  /** Present when the NB-GLM is asked for: measures of all genes, and the dispersion of each, NaN with one per comparison. */
  readonly nb: {
    readonly S: Float64Array;
    readonly N: Float64Array;
    readonly sumCounts: Float64Array;
    readonly dispersions: Float64Array;
  } | null;
  /** Control outputs in gene order, for the sorted columns or the rank sums. */
  readonly chunks: readonly BundleReader<ControlSummary>[];
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
  for (let covered = 0; covered < nGenes;) {
    const chunk = await job.open<ControlSummary>(SCRATCH_NAMES.task('control', chunks.length));
    chunks.push(chunk);
    covered = chunk.meta.geneEnd;
  }
  const withNb = parameters.tests.includes('nb-glm');
  const nNodes = withNb ? chunks[0].lengthOf('N') : 0;
  const moments = new Float64Array(nGenes * MOMENTS);
  const sumCounts = new Float64Array(nGenes);
  const nExpressing = new Uint32Array(nGenes);
  const S = new Float64Array(nGenes * nNodes);
  for (const chunk of chunks) {
    const at = chunk.meta.geneBegin;
    nExpressing.set(await chunk.u32('nExpressing'), at);
    moments.set(await chunk.f64('moments'), at * MOMENTS);
    if (!withNb) continue;
    S.set(await chunk.f64('S'), at * nNodes);
    sumCounts.set(await chunk.f64('sumCounts'), at);
  }
  const nb = withNb ? { S, N: await chunks[0].f64('N'), sumCounts, dispersions: await readDispersions(job) } : null;
  return { cells: chunks[0].meta.cells, nExpressing, moments, nb, chunks };
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
