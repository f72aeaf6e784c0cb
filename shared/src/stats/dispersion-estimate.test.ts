import { describe, expect, it } from 'vitest';
import { DispersionProfile, KernelHeap, normalisedTotals } from '../kernels/index.js';
import { CountHistogram } from './count-histogram.js';
import { estimateDispersions, type DispersionInput } from './dispersion-estimate.js';
import { trigamma } from './dispersion-prior.js';
import { createDispersionGrid, quantumExponents } from './dispersion-grid.js';
import { fitDispersionTrend, trendAt } from './dispersion-trend.js';
import { GeneProfile } from './gene-profile.reference.js';
import { LocalInterpolant } from './local-interpolant.reference.js';
import { maximiseProfileDirect } from './nb-direct.reference.js';
import { Sfc32 } from './simulation-random.js';
import { SmallScreen } from './small-screen.reference.js';

/** Runs the dispersion stage on a screen; `order` is the order in which its groups are added. */
const inputOf = (screen: SmallScreen, order: readonly number[]): DispersionInput => {
  const heap = KernelHeap.create();
  const grid = createDispersionGrid();
  const groups = order.map((group) => ({ group, measures: screen.measures(heap, group) }));
  const totals = new Float64Array(screen.nGenes);
  const meanNormalised = new Float64Array(screen.nGenes);
  for (const { measures } of groups) {
    const normalised = normalisedTotals(heap, measures, screen.nodes);
    for (let gene = 0; gene < screen.nGenes; gene++) {
      totals[gene] += measures.sumCounts[gene];
      meanNormalised[gene] += normalised[gene] / screen.nCells;
    }
  }
  const exponents = quantumExponents(totals, screen.nCells);
  const profile = new DispersionProfile(heap, screen.nGenes, screen.nodes.sizeFactors, grid.logAlphas, exponents);
  const histogram = new CountHistogram(screen.nGenes);
  for (const { group, measures } of groups) {
    expect(profile.addGroup(measures)).toBe(0);
    histogram.addRows(screen.rows(heap, group));
  }
  return {
    profileSums: profile.sums.slice(),
    grid,
    quantumExponents: exponents,
    histogram,
    meanNormalised,
    totals,
    nCells: screen.nCells,
    nGroups: order.length,
  };
};

describe('the dispersion grid', () => {
  const grid = createDispersionGrid();

  it('interpolates a slope with the profile’s singularities near any place', () => {
    // A difference of functions α μ/(1 + α μ) is what a profile's slope is made of; this one spans ten orders of magnitude.
    const parts = [
      [1, 0.1],
      [-3, 3],
      [2, 100],
    ];
    const slope = (x: number): number => parts.reduce((sum, [c, mu]) => sum + c / (1 + 1 / (mu * Math.exp(x))), 0);
    const values = grid.logAlphas.map(slope);
    for (let x = grid.logMin; x <= grid.logMax; x += 0.03) {
      const local = new LocalInterpolant(grid, values, x);
      for (const distance of [-0.3, 0, 0.3]) {
        const at = Math.min(Math.max(x + distance, grid.logMin), grid.logMax);
        // Relative to what the parts are, each of which the others nearly cancel somewhere.
        const scale = parts.reduce((sum, [c, mu]) => sum + Math.abs(c) / (1 + 1 / (mu * Math.exp(at))), 0);
        expect(Math.abs(local.at(at) - slope(at))).toBeLessThan(3e-6 * scale);
      }
    }
    expect(new LocalInterpolant(grid, values, grid.logAlphas[7]).at(grid.logAlphas[7])).toBeCloseTo(values[7], 12);
  });

  it('has ascending points within its bounds', () => {
    expect(grid.logAlphas.every((x, a) => a === 0 || x > grid.logAlphas[a - 1])).toBe(true);
    expect(grid.logAlphas[0]).toBeGreaterThan(grid.logMin);
    expect(grid.logAlphas[grid.count - 1]).toBeLessThan(grid.logMax);
  });

  it('keeps every sum of terms far from the limit of 64 bits', () => {
    const totals = [0, 1, 1e3, 1e6, 1e9, 4e12];
    for (const [i, q] of quantumExponents(totals, 1e7).entries()) {
      // The largest sum the docstring allows, in quanta.
      const largest = (totals[i] * (Math.log1p(5000 * totals[i]) + 14) + 203 * Math.min(totals[i], 1e7)) * 2 ** q;
      expect(largest).toBeLessThanOrEqual(2 ** 61);
      if (totals[i] <= 1e6) expect(2 ** -q).toBeLessThan(2e-10);
    }
  });
});

describe('estimating dispersions', () => {
  const means = [0.05, 0.3, 1, 4, 15, 80];
  const screen = new SmallScreen({
    seed: 5,
    groupCells: [180, 90, 60, 40],
    genes: means.flatMap((mean) => [0.003, 0.05, 0.4, 2].map((dispersion) => ({ mean, dispersion }))),
    sizeFactorSpread: 0.5,
  });
  const input = inputOf(screen, [0, 1, 2, 3]);
  const estimate = estimateDispersions(KernelHeap.create(), input);
  const { logMin } = input.grid;

  it('finds the maximum that direct maximisation over cells finds, to 1e-6 in log α', () => {
    let inside = 0;
    for (let gene = 0; gene < screen.nGenes; gene++) {
      const groups = [0, 1, 2, 3].map((group) => screen.cells(group, gene));
      const direct = maximiseProfileDirect(groups, logMin, input.grid.logMax, 25);
      const error = Math.abs(Math.log(estimate.genewise[gene]) - direct);
      if (direct === logMin) {
        expect(Math.log(estimate.genewise[gene])).toBeCloseTo(logMin, 9);
      } else {
        inside++;
        // A maximum near the Poisson boundary is flat.
        expect(error).toBeLessThan(direct > Math.log(1e-3) ? 1e-6 : 1e-5);
      }
    }
    expect(inside).toBeGreaterThan(15);
  });

  it('finds the maxima that the twin finds, alone and with the prior, to the 1e-9 that each knows them to', () => {
    const logMost = Math.log(screen.nCells);
    const clamp = (x: number): number => Math.min(Math.max(x, logMin), logMost);
    let inside = 0;
    for (let gene = 0; gene < screen.nGenes; gene++) {
      const quantum = 2 ** -input.quantumExponents[gene];
      const { count } = input.grid;
      const sums = input.profileSums.subarray(gene * count, (gene + 1) * count);
      const twin = new GeneProfile(
        input.grid,
        Float64Array.from(sums, (n) => Number(n) * quantum),
        input.histogram,
        gene,
      );
      const alone = clamp(twin.maximise());
      const mean = Math.log(estimate.trend[gene]);
      const withPrior = clamp(twin.maximise({ mean, variance: estimate.priorVariance }));
      expect(Math.abs(Math.log(estimate.genewise[gene]) - alone)).toBeLessThanOrEqual(2e-9);
      expect(Math.abs(Math.log(estimate.map[gene]) - withPrior)).toBeLessThanOrEqual(2e-9);
      if (alone > logMin && alone < logMost) inside++;
    }
    expect(inside).toBeGreaterThan(15);
  });

  it('gives the same bits whether its input lies in the heap or not, and leaves the heap as it was', () => {
    const heap = KernelHeap.create();
    const histogram = new CountHistogram(screen.nGenes, heap);
    histogram.merge(input.histogram);
    const profileSums = heap.within(input.profileSums);
    const before = heap.bytesInUse;
    expect(estimateDispersions(heap, { ...input, profileSums, histogram })).toEqual(estimate);
    expect(heap.bytesInUse).toBe(before);
    expect([...profileSums]).toEqual([...input.profileSums]);
  });

  it('gives the same bits whatever the order of the groups', () => {
    const other = inputOf(screen, [3, 1, 0, 2]);
    expect([...other.profileSums]).toEqual([...input.profileSums]);
    expect(other.histogram.toArrays()).toEqual(input.histogram.toArrays());
  });

  it('puts the maximum a posteriori between trend and genewise estimate', () => {
    for (let gene = 0; gene < screen.nGenes; gene++) {
      const [low, high] = [estimate.trend[gene], estimate.genewise[gene]].sort((a, b) => a - b);
      expect(estimate.map[gene]).toBeGreaterThanOrEqual(low * 0.999);
      expect(estimate.map[gene]).toBeLessThanOrEqual(high * 1.001);
      const kept = estimate.outlier[gene] === 1 ? estimate.genewise[gene] : estimate.map[gene];
      expect(estimate.final[gene]).toBe(kept);
    }
    expect(estimate.priorVariance).toBeGreaterThanOrEqual(0.25);
  });

  it('gives genes without counts the trend, and no estimate of their own', () => {
    const silent = new SmallScreen({
      ...screen.options,
      genes: [...screen.options.genes, { mean: 1e-12, dispersion: 1 }],
    });
    const gene = silent.nGenes - 1;
    const result = estimateDispersions(KernelHeap.create(), inputOf(silent, [0, 1, 2, 3]));
    expect(result.genewise[gene]).toBeNaN();
    expect(result.map[gene]).toBeNaN();
    expect(result.final[gene]).toBe(result.trend[gene]);
    expect(result.final[gene]).toBeGreaterThan(0);
  });

  it('takes the least dispersion, and says so, when there is nothing to estimate from', () => {
    const empty = new SmallScreen({ ...screen.options, genes: [{ mean: 1e-12, dispersion: 1 }] });
    const result = estimateDispersions(KernelHeap.create(), inputOf(empty, [0, 1, 2, 3]));
    expect(result.trendKind).toBe('poisson');
    expect(result.genewise[0]).toBeNaN();
    expect(result.final[0]).toBe(1e-8);
  });

  it('recovers known dispersions over many genes, and keeps outliers', () => {
    const random = new Sfc32(8, 2, 2);
    const genes = Array.from({ length: 300 }, (_, gene) => {
      const mean = Math.exp(random.normal() - 0.3);
      // One gene in fifty lies far above the trend of the others.
      const outlying = gene % 50 === 0 ? 20 : 1;
      return { mean, dispersion: (0.1 + 0.3 / mean) * Math.exp(0.3 * random.normal()) * outlying };
    });
    const many = new SmallScreen({ seed: 9, groupCells: [800, 200, 200], genes, sizeFactorSpread: 0.4 });
    const result = estimateDispersions(KernelHeap.create(), inputOf(many, [0, 1, 2]));
    expect(result.trendKind).toBe('parametric');
    expect(result.trendCoefficients[0]).toBeGreaterThan(0.05);
    expect(result.trendCoefficients[0]).toBeLessThan(0.3);
    let squares = 0;
    for (const [gene, { dispersion }] of genes.entries()) squares += Math.log(result.final[gene] / dispersion) ** 2;
    expect(Math.sqrt(squares / genes.length)).toBeLessThan(0.3);
    expect(result.outlier[50] + result.outlier[100] + result.outlier[150]).toBeGreaterThanOrEqual(2);
  });
});

describe('the trend', () => {
  it('recovers the line that dispersions scatter around', () => {
    const random = new Sfc32(3, 1, 1);
    const means = Float64Array.from({ length: 2000 }, () => Math.exp(2 * random.normal()));
    // Gamma of shape 8: the distribution the fit assumes.
    const dispersions = means.map((mean) => ((0.2 + 0.8 / mean) * random.gamma(8)) / 8);
    const trend = fitDispersionTrend(means, dispersions);
    expect(trend.kind).toBe('parametric');
    expect(Math.abs(trend.coefficients[0] - 0.2)).toBeLessThan(0.02);
    expect(Math.abs(trend.coefficients[1] - 0.8)).toBeLessThan(0.03);
    expect(trendAt(trend, 2)).toBe(trend.coefficients[0] + trend.coefficients[1] / 2);
  });

  it('falls back to the trimmed mean where dispersion rises with the mean, and says so', () => {
    const means = Float64Array.from({ length: 100 }, (_, i) => 1 + i);
    const trend = fitDispersionTrend(
      means,
      means.map((mean) => 0.01 * mean),
    );
    expect(trend.kind).toBe('mean');
    expect(trendAt(trend, 7)).toBeCloseTo(0.505, 12);
  });
});

describe('trigamma', () => {
  it('has its known values', () => {
    expect(trigamma(1)).toBeCloseTo(Math.PI ** 2 / 6, 13);
    expect(trigamma(0.5)).toBeCloseTo(Math.PI ** 2 / 2, 13);
    expect(trigamma(1e4) / 1.0000500016666667e-4).toBeCloseTo(1, 12);
  });
});
