import {
  encodeBundle,
  SCRATCH_NAMES,
  type DispersionSummary,
  type SizeFactorSummary,
  type TrendSummary,
} from '@shardex/shared/artifacts';
import { addIntegers, KernelHeap } from '@shardex/shared/kernels';
import {
  chosenDispersions,
  crispyxDispersions,
  CountHistogram,
  createDispersionGrid,
  estimateDispersions,
  inverseSizeFactorQuanta,
  momentDispersions,
  normalisedSquareQuanta,
  normalisedSumQuanta,
  type DispersionEstimate,
  type DispersionInput,
  type NormalisedMoments,
  type NormalisedSums,
} from '@shardex/shared/stats';
import { withArtifact, type ReductionScope } from './scratch.js';

/** What to say of a trend that is not the usual one. */
const TREND_WARNINGS: Readonly<Record<DispersionEstimate['trendKind'], readonly string[]>> = {
  parametric: [],
  mean: ['the dispersions do not fall with the mean as a0 + a1 / mean: their mean stands in for the trend'],
  poisson: [
    'no gene varies more than Poisson noise: the NB-GLM uses the least dispersion, 1e-8; give one with --dispersion',
  ],
};

/**
 * The `trend` stage: adds the groups' profile sums, and from them estimates the dispersion of every gene (genewise, trend,
 * prior, maximum a posteriori); `final` is the one `--dispersion-estimator` asks for.
 *
 * @returns warnings
 */
export async function reduceTrend(scope: ReductionScope): Promise<readonly string[]> {
  const { store, context } = scope;
  const { dispersionEstimator } = context.parameters;
  const heap = KernelHeap.create();
  const sums = await addGroups(scope, heap);
  const estimate = estimateDispersions(heap, sums);
  const moments = { moments: momentDispersions, crispyx: asCrispyx }[dispersionEstimator as 'moments' | 'crispyx']?.(
    sums,
  );
  const summary: TrendSummary = {
    trendKind: estimate.trendKind,
    trendCoefficients: [...estimate.trendCoefficients],
    priorVariance: estimate.priorVariance,
    warnings: TREND_WARNINGS[estimate.trendKind],
  };
  await store.commit(
    SCRATCH_NAMES.trend,
    encodeBundle(summary, {
      genewise: estimate.genewise,
      trend: estimate.trend,
      map: estimate.map,
      final: chosenDispersions(estimate, dispersionEstimator, moments ?? null),
      outlier: estimate.outlier,
    }),
  );
  return summary.warnings;
}

type ScreenSums = DispersionInput & NormalisedSums & Pick<NormalisedMoments, 'meanSizeFactor' | 'sumsOverFactor'>;

const asCrispyx = ({ sumsOfSquares: sumSquares, ...sums }: ScreenSums): Float64Array =>
  crispyxDispersions({ ...sums, sumSquares }).final;

/**
 * Adds up what the dispersion tasks left: the groups of `--dispersion-scope`. Of the heap it takes 960 bytes a gene, of
 * which 352 are free again in the end.
 *
 * @returns profile sums and histogram in the heap
 */
async function addGroups(scope: ReductionScope, heap: KernelHeap): Promise<ScreenSums> {
  const { store, context } = scope;
  const { nGenes, parameters } = context;
  const grid = createDispersionGrid();
  const profileSums = heap.i64(nGenes * grid.count);
  const [normalisedQuanta, squareQuanta, overFactorQuanta] = [0, 0, 0].map(() => new Float64Array(nGenes));
  const histogram = new CountHistogram(nGenes, heap);
  let [inverseQuanta, nCells, nGroups] = [0, 0, 0];
  const names = scope.outputs['dispersion'] ?? [];
  for (const [i, name] of names.entries()) {
    scope.checkCancelled();
    await withArtifact<DispersionSummary, void>(store, name, async (reader) => {
      // What a task left is read to one place of the heap, one array after the other.
      const mark = heap.mark();
      const ofTask = heap.uninitialised(BigInt64Array, profileSums.length);
      await reader.i64Into('profileSums', ofTask);
      addIntegers(heap, profileSums, ofTask);
      heap.release(mark);
      const dense = heap.uninitialised(Uint32Array, histogram.dense.length);
      await reader.u32Into('histogramDense', dense);
      histogram.mergeArrays({ nGenes, dense, overflow: await reader.u32('histogramOverflow') });
      heap.release(mark);
      addTo(normalisedQuanta, await reader.f64('normalisedQuanta'));
      if (parameters.dispersionEstimator === 'crispyx') {
        addTo(overFactorQuanta, await reader.f64('overFactorQuanta'));
      }
      if (parameters.dispersionEstimator === 'moments' || parameters.dispersionEstimator === 'crispyx') {
        addTo(squareQuanta, await reader.f64('squareQuanta'));
        inverseQuanta += (await reader.f64('inverseQuanta'))[0];
      }
      nCells += reader.meta.cells;
      nGroups += reader.meta.groups;
    });
    scope.report((0.5 * (i + 1)) / names.length);
  }
  const factors = await withArtifact<SizeFactorSummary, FactorArrays>(
    store,
    SCRATCH_NAMES.sizeFactors,
    async (reader) => ({
      keptCells: reader.meta.keptCells,
      leastFactor: Math.exp(reader.meta.nodes.logMin),
      geneTotal: await reader.f64('geneTotal'),
      quantumExponents: await reader.i32('quantumExponents'),
      sizeFactor: await reader.f64('sizeFactor'),
    }),
  );
  const quanta = normalisedSumQuanta(factors.geneTotal, factors.leastFactor);
  const ofSquares = normalisedSquareQuanta(factors.geneTotal, factors.leastFactor);
  const sums = normalisedQuanta.map((sum, gene) => sum / quanta[gene]);
  return {
    profileSums,
    grid,
    histogram,
    quantumExponents: factors.quantumExponents,
    totals: histogram.totals(),
    nCells,
    nGroups,
    meanNormalised: sums.map((sum) => sum / nCells),
    sums,
    meanSizeFactor: meanOf(factors.sizeFactor),
    sumsOverFactor: overFactorQuanta.map((sum, gene) => sum / ofSquares[gene]),
    sumsOfSquares: squareQuanta.map((sum, gene) => sum / ofSquares[gene]),
    inverseSizeFactors: inverseQuanta / inverseSizeFactorQuanta(factors.keptCells, factors.leastFactor),
  };
}

/** Of the cells that take part; the others are NaN. */
function meanOf(factors: Float64Array): number {
  const kept = factors.filter((factor) => !Number.isNaN(factor));
  return kept.reduce((sum, factor) => sum + factor, 0) / kept.length;
}

function addTo(sums: Float64Array, values: Float64Array): void {
  for (let i = 0; i < sums.length; i++) sums[i] += values[i];
}

interface FactorArrays {
  readonly keptCells: number;
  readonly leastFactor: number;
  readonly geneTotal: Float64Array;
  readonly quantumExponents: Int32Array;
  readonly sizeFactor: Float64Array;
}
