import {
  encodeBundle,
  SCRATCH_NAMES,
  type DispersionSummary,
  type SizeFactorSummary,
  type TrendSummary,
} from '@shardex/shared/artifacts';
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
  const sums = await addGroups(scope);
  const estimate = estimateDispersions(sums);
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

const MOST_U32 = 2 ** 32 - 1;

type ScreenSums = DispersionInput & NormalisedSums & Pick<NormalisedMoments, 'meanSizeFactor' | 'sumsOverFactor'>;

const asCrispyx = ({ sumsOfSquares: sumSquares, ...sums }: ScreenSums): Float64Array =>
  crispyxDispersions({ ...sums, sumSquares }).final;

/** Adds up what the dispersion tasks left: the groups of `--dispersion-scope`. */
async function addGroups(scope: ReductionScope): Promise<ScreenSums> {
  const { store, context } = scope;
  const { nGenes, parameters } = context;
  const grid = createDispersionGrid();
  const profileSums = new BigInt64Array(nGenes * grid.logAlphas.length);
  const [normalisedQuanta, squareQuanta, overFactorQuanta] = [0, 0, 0].map(() => new Float64Array(nGenes));
  const histogram = new CountHistogram(nGenes);
  let [inverseQuanta, nCells, nGroups] = [0, 0, 0];
  const names = scope.outputs['dispersion'] ?? [];
  for (const [i, name] of names.entries()) {
    scope.checkCancelled();
    await withArtifact<DispersionSummary, void>(store, name, async (reader) => {
      addIntegers(profileSums, await reader.i64('profileSums'));
      histogram.mergeArrays({
        nGenes,
        dense: await reader.u32('histogramDense'),
        overflow: await reader.u32('histogramOverflow'),
      });
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

/** By halves of 32 bits, with the carry: twice as fast as BigInts. */
function addIntegers(sums: BigInt64Array, values: BigInt64Array): void {
  const [own, other] = [sums, values].map((array) => new Uint32Array(array.buffer, array.byteOffset, 2 * array.length));
  for (let i = 0; i < own.length; i += 2) {
    const low = own[i] + other[i];
    own[i] = low;
    own[i + 1] += other[i + 1] + (low > MOST_U32 ? 1 : 0);
  }
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
