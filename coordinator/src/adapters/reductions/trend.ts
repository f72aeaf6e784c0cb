import {
  encodeBundle,
  SCRATCH_NAMES,
  type DispersionSummary,
  type SizeFactorSummary,
  type TrendSummary,
} from '@shardex/shared/artifacts';
import {
  CountHistogram,
  createDispersionGrid,
  estimateDispersions,
  normalisedSumQuanta,
  type DispersionEstimate,
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
 * prior, maximum a posteriori).
 *
 * @returns warnings
 */
export async function reduceTrend(scope: ReductionScope): Promise<readonly string[]> {
  const { store, context } = scope;
  const { nGenes } = context;
  const grid = createDispersionGrid();
  const profileSums = new BigInt64Array(nGenes * grid.logAlphas.length);
  const normalisedQuanta = new Float64Array(nGenes);
  const histogram = new CountHistogram(nGenes);
  const factors = await withArtifact<SizeFactorSummary, FactorArrays>(
    store,
    SCRATCH_NAMES.sizeFactors,
    async (reader) => ({
      keptCells: reader.meta.keptCells,
      logMin: reader.meta.nodes.logMin,
      geneTotal: await reader.f64('geneTotal'),
      groupKept: await reader.u8('groupKept'),
      quantumExponents: await reader.i32('quantumExponents'),
    }),
  );
  const names = scope.outputs['dispersion'] ?? [];
  for (const [i, name] of names.entries()) {
    scope.checkCancelled();
    await withArtifact<DispersionSummary, void>(store, name, async (reader) => {
      const sums = await reader.i64('profileSums');
      for (let k = 0; k < sums.length; k++) profileSums[k] += sums[k];
      histogram.merge(
        CountHistogram.fromArrays({
          nGenes,
          dense: await reader.u32('histogramDense'),
          overflow: await reader.u32('histogramOverflow'),
        }),
      );
      const quanta = await reader.f64('normalisedQuanta');
      for (let gene = 0; gene < nGenes; gene++) normalisedQuanta[gene] += quanta[gene];
    });
    scope.report((0.5 * (i + 1)) / names.length);
  }
  const quanta = normalisedSumQuanta(factors.geneTotal, Math.exp(factors.logMin));
  const estimate = estimateDispersions({
    profileSums,
    grid,
    histogram,
    quantumExponents: factors.quantumExponents,
    totals: factors.geneTotal,
    nCells: factors.keptCells,
    nGroups: factors.groupKept.reduce((n, kept) => n + kept, 0),
    meanNormalised: normalisedQuanta.map((sum, gene) => sum / quanta[gene] / factors.keptCells),
  });
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
      final: estimate.final,
      outlier: estimate.outlier,
    }),
  );
  return summary.warnings;
}

interface FactorArrays {
  readonly keptCells: number;
  readonly logMin: number;
  readonly geneTotal: Float64Array;
  readonly groupKept: Uint8Array;
  readonly quantumExponents: Int32Array;
}
