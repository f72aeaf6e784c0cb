import { describe, expect, it } from 'vitest';
import { Matrix, determinant } from 'ml-matrix';
import { ComparisonCells } from './comparison-cells.js';
import { createComparisonDesign } from './comparison-design.js';
import { ComparisonDispersion } from './comparison-dispersion.js';
import { CellDispersionProfile } from './dispersion-profile.js';
import { simulatedComparison } from './simulated-comparison.reference.js';

const BOUNDS = { least: 1e-8, most: 200 };

describe.each([
  { covariates: 0, leastMean: 1e-6 },
  { covariates: 0, leastMean: 0.5 },
  { covariates: 1, leastMean: 0.5 },
])('the dispersion profile with $covariates covariates and means from $leastMean', ({ covariates, leastMean }) => {
  const data = simulatedComparison({ nCells: 90, nPerturbed: 30, nGenes: 10, covariates });
  const design = createComparisonDesign(data.columns);
  const cells = new ComparisonCells(design, data.sizeFactors);
  const profile = new CellDispersionProfile(cells, BOUNDS);
  const scales = Float64Array.from({ length: design.nRows }, (_, row) => 0.3 + 0.7 * Math.abs(Math.sin(row + 1)));

  /** Cox–Reid adjusted log-likelihood by a plain sum over cells. */
  const direct = (y: Float64Array, alpha: number, factor: number): number => {
    const p = design.nCoefficients;
    const information = Matrix.zeros(p, p);
    let sum = 0;
    for (let cell = 0; cell < y.length; cell++) {
      const row = design.rowOf[cell];
      const mu = Math.max(data.sizeFactors[cell] * scales[row] * factor, leastMean);
      for (let l = 1; l < y[cell]; l++) sum += Math.log1p(alpha * l);
      sum += y[cell] * Math.log(mu) - (y[cell] + 1 / alpha) * Math.log1p(alpha * mu);
      const x = design.rows.subarray(row * p, row * p + p);
      const w = mu / (1 + alpha * mu);
      for (let c = 0; c < p; c++)
        for (let d = 0; d < p; d++) information.set(c, d, information.get(c, d) + w * x[c] * x[d]);
    }
    return sum - 0.5 * Math.log(determinant(information));
  };

  it('has the slope of the plain sum', () => {
    for (const [g, gene] of data.genes.entries()) {
      const factor = 0.05 * 2 ** g;
      profile.load(
        cells.place(gene.cells, gene.counts),
        scales.map((scale) => scale * factor),
        leastMean,
      );
      for (const alpha of [1e-3, 0.02, 0.4, 5, 100]) {
        // A difference of eighth order; rounding of the sums leaves some 1e-9.
        const at = (k: number): number => direct(data.dense(g), alpha * Math.exp(0.05 * k), factor);
        const slope =
          ((4 / 5) * (at(1) - at(-1)) -
            (1 / 5) * (at(2) - at(-2)) +
            (4 / 105) * (at(3) - at(-3)) -
            (1 / 280) * (at(4) - at(-4))) /
          0.05;
        expect(Math.abs(profile.slope(alpha) - slope)).toBeLessThan(1e-7 * Math.max(1, Math.abs(slope)));
      }
    }
  });

  it('is continuous where the series takes over', () => {
    const gene = data.genes[7];
    profile.load(cells.place(gene.cells, gene.counts), scales, leastMean);
    const largest = Math.max(...data.sizeFactors) * Math.max(...scales);
    const [below, above] = [1 - 1e-12, 1 + 1e-12].map((side) => profile.slope((0.01 / largest) * side));
    expect(Math.abs(below / above - 1)).toBeLessThan(1e-9);
  });

  it('finds the highest point of a fine grid', () => {
    for (const [g, gene] of data.genes.entries()) {
      profile.load(cells.place(gene.cells, gene.counts), scales, leastMean);
      const found = profile.maximise();
      const best = direct(data.dense(g), found, 1);
      for (let x = Math.log(BOUNDS.least); x <= Math.log(BOUNDS.most); x += 0.25) {
        expect(direct(data.dense(g), Math.exp(x), 1)).toBeLessThan(best + 1e-7);
      }
    }
  });
});

describe('dispersions of a comparison', () => {
  it('recovers moments by their formula', () => {
    const data = simulatedComparison({ nCells: 80, nPerturbed: 30, nGenes: 6, covariates: 0 });
    const cells = new ComparisonCells(createComparisonDesign(data.columns), data.sizeFactors);
    const dispersion = new ComparisonDispersion(cells, 0);
    for (const [g, gene] of data.genes.entries()) {
      if (gene.cells.length === 0) continue;
      const q = data.dense(g).map((y, cell) => y / data.sizeFactors[cell]);
      const mean = q.reduce((sum, value) => sum + value, 0) / q.length;
      const variance = q.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (q.length - 1);
      const inverse = data.sizeFactors.reduce((sum, s) => sum + 1 / s, 0) / q.length;
      const { moments, baseMean } = dispersion.estimate(cells.place(gene.cells, gene.counts), new Float64Array(2));
      expect(baseMean).toBeCloseTo(mean, 12);
      const expected = Math.min(Math.max((variance - inverse * mean) / mean ** 2, 1e-8), 80);
      expect(moments / expected).toBeCloseTo(1, 9);
    }
  });
});
