import { describe, expect, it } from 'vitest';
import { InvalidInputError } from '../errors/index.js';
import { KernelHeap } from '../kernels/index.js';
import { GeneStatus } from './gene-status.js';
import { fitDirect, robustVarianceDirect } from './nb-direct.reference.js';
import { fitPerturbation, freezeControl, type NbFitOptions, type NbResult } from './nb-fit.js';
import { normalTwoSided } from './normal-tail.js';
import { log10StudentTwoSided, studentTwoSided } from './student-tail.js';
import { SmallScreen } from './small-screen.reference.js';

const MEANS = [0.02, 0.05, 0.3, 1, 3, 10, 50];
const DISPERSIONS = [0.01, 0.1, 0.7, 4];

const screen = new SmallScreen({
  seed: 31,
  groupCells: [900, 150],
  genes: MEANS.flatMap((mean) => DISPERSIONS.map((dispersion) => ({ mean, dispersion }))),
  sizeFactorSpread: 0.6,
});

const fit = (from: SmallScreen, dispersions: ArrayLike<number>, options: NbFitOptions): NbResult => {
  const heap = KernelHeap.create();
  const control = freezeControl(heap, from.nodes, from.measures(heap, 0), dispersions);
  return fitPerturbation(heap, control, from.measures(heap, 1), options);
};

const fitRobust = (from: SmallScreen, dispersions: ArrayLike<number>, options: NbFitOptions): NbResult => {
  const heap = KernelHeap.create();
  const [controlMeasures, perturbed] = [0, 1].map((group) => from.measures(heap, group));
  const control = freezeControl(heap, from.nodes, controlMeasures, dispersions, controlMeasures.squares);
  return fitPerturbation(heap, control, perturbed, { ...options, squares: perturbed.squares });
};

/** One gene a column, one cell a row; size factors as given. */
const tiny = (control: readonly number[][], perturbed: readonly number[][]): SmallScreen => {
  const made = new SmallScreen({
    seed: 1,
    groupCells: [control.length, perturbed.length],
    genes: control[0].map(() => ({ mean: 1, dispersion: 1 })),
    sizeFactorSpread: 0.5,
  });
  for (const [group, cells] of [control, perturbed].entries()) {
    for (const [cell, row] of cells.entries()) {
      for (const [gene, count] of row.entries()) made.counts[group][gene][cell] = count;
    }
  }
  return made;
};

describe('the negative binomial test of one perturbation', () => {
  const dispersions = screen.options.genes.map((gene) => gene.dispersion);
  const wald = fit(screen, dispersions, { test: 'wald' });
  const lrt = fit(screen, dispersions, { test: 'lrt' });

  it('agrees with sums over cells: fold change and standard error to 1e-6, z to 1e-5', () => {
    let compared = 0;
    for (let gene = 0; gene < screen.nGenes; gene++) {
      const [control, perturbed] = [0, 1].map((group) => fitDirect(screen.cells(group, gene), dispersions[gene]));
      if (control.fisher === 0 || perturbed.fisher === 0) continue;
      compared++;
      const log2FoldChange = (perturbed.eta - control.eta) / Math.LN2;
      const standardError = Math.sqrt(1 / perturbed.fisher + 1 / control.fisher) / Math.LN2;
      expect(Math.abs(wald.log2FoldChange[gene] - log2FoldChange)).toBeLessThan(1e-6);
      expect(Math.abs(wald.standardErrorLog2[gene] - standardError)).toBeLessThan(1e-6);
      expect(Math.abs(wald.zScore[gene] - log2FoldChange / standardError)).toBeLessThan(1e-5);
      expect(wald.status[gene]).toBe(GeneStatus.tested);
      expect(wald.pValue[gene]).toBe(normalTwoSided(wald.zScore[gene]));
      expect(lrt.log2FoldChange[gene]).toBe(wald.log2FoldChange[gene]);
    }
    expect(compared).toBeGreaterThan(25);
  });

  it("takes Wald's p-values from Student's t with the cells of both arms less two as degrees of freedom", () => {
    const t = fit(screen, dispersions, { test: 'wald', waldReference: 't' });
    expect(t.zScore).toEqual(wald.zScore);
    expect(t.pValue).toEqual(t.zScore.map((z) => studentTwoSided(z, 900 + 150 - 2)));
    expect(t.log10PValue).toEqual(t.zScore.map((z) => log10StudentTwoSided(z, 900 + 150 - 2)));
    expect(t.pValue).not.toEqual(wald.pValue);
  });

  it('has the robust standard errors of sums over cells to 1e-8, and Wald uses them', () => {
    // Half and twice the dispersion: the sandwich does not rest on the model's variance.
    for (const factor of [0.5, 1, 2]) {
      const assumed = dispersions.map((dispersion) => factor * dispersion);
      const robust = fitRobust(screen, assumed, { test: 'wald' });
      let compared = 0;
      for (let gene = 0; gene < screen.nGenes; gene++) {
        const groups = [0, 1].map((group) => screen.cells(group, gene));
        const fits = groups.map((cells) => fitDirect(cells, assumed[gene]));
        if (fits.some(({ fisher }) => fisher === 0)) continue;
        compared++;
        const variances = groups.map((cells, group) => robustVarianceDirect(cells, assumed[gene], fits[group].eta));
        const expected = Math.sqrt(variances[0] + variances[1]) / Math.LN2;
        const standardError = robust.standardErrorRobustLog2?.[gene] ?? NaN;
        expect(Math.abs(standardError / expected - 1)).toBeLessThan(1e-8);
        expect(robust.zScore[gene]).toBe(robust.log2FoldChange[gene] / standardError);
      }
      expect(compared).toBeGreaterThan(25);
    }
  });

  it('leaves likelihood ratios as they are when robust standard errors stand beside them', () => {
    const robust = fitRobust(screen, dispersions, { test: 'lrt' });
    expect(robust.pValue).toEqual(lrt.pValue);
    expect(robust.standardErrorLog2).toEqual(lrt.standardErrorLog2);
    expect(robust.standardErrorRobustLog2).not.toBeNull();
    expect(lrt.standardErrorRobustLog2).toBeNull();
  });

  it('has the likelihood-ratio statistic of sums over cells', () => {
    for (let gene = 0; gene < screen.nGenes; gene++) {
      const arms = [0, 1].map((group) => screen.cells(group, gene));
      const pooled = {
        counts: [...(arms[0].counts as Float64Array), ...(arms[1].counts as Float64Array)],
        sizeFactors: [...screen.sizeFactors[0], ...screen.sizeFactors[1]],
      };
      const logLikelihood = (cells: typeof pooled): number => fitDirect(cells, dispersions[gene]).logLikelihood;
      const statistic =
        2 * (arms.reduce((sum, arm) => sum + logLikelihood(arm as typeof pooled), 0) - logLikelihood(pooled));
      if (Number.isNaN(lrt.zScore[gene])) continue;
      expect(Math.abs(lrt.zScore[gene] ** 2 - Math.max(statistic, 0))).toBeLessThan(1e-7);
      expect(Math.sign(lrt.zScore[gene])).toBe(Math.sign(lrt.log2FoldChange[gene]));
    }
  });

  it('leaves the heap as it was', () => {
    const heap = KernelHeap.create();
    const control = freezeControl(heap, screen.nodes, screen.measures(heap, 0), dispersions);
    const perturbed = screen.measures(heap, 1);
    const before = heap.bytesInUse;
    fitPerturbation(heap, control, perturbed, { test: 'lrt' });
    expect(heap.bytesInUse).toBe(before);
  });

  it('handles the Poisson limit: a dispersion of 0 continues one of 1e-12', () => {
    for (const test of ['lrt', 'wald'] as const) {
      const zero = fit(screen, new Float64Array(screen.nGenes), { test });
      const small = fit(screen, new Float64Array(screen.nGenes).fill(1e-12), { test });
      for (let gene = 0; gene < screen.nGenes; gene++) {
        expect(zero.status[gene]).toBe(small.status[gene]);
        if (zero.status[gene] !== GeneStatus.tested) continue;
        expect(zero.zScore[gene]).toBeCloseTo(small.zScore[gene], 6);
        expect(zero.standardErrorLog2[gene]).toBeCloseTo(small.standardErrorLog2[gene], 8);
      }
    }
  });
});

describe('arms without counts', () => {
  // Genes: in neither arm, only in the control, only in the perturbed cells, in both.
  const made = tiny(
    Array.from({ length: 40 }, (_, i) => [0, i % 3, 0, i % 2]),
    Array.from({ length: 30 }, (_, i) => [0, 0, i % 4, i % 2]),
  );
  const alpha = 0.5;
  const lrt = fit(made, [alpha, alpha, alpha, alpha], { test: 'lrt' });
  const wald = fit(made, [alpha, alpha, alpha, alpha], { test: 'wald' });

  it('have a status of their own', () => {
    const expected = [GeneStatus.allZero, GeneStatus.emptyPerturbedArm, GeneStatus.emptyControlArm, GeneStatus.tested];
    expect([...lrt.status]).toEqual(expected);
    expect([...wald.status]).toEqual(expected);
  });

  it('are tested by the likelihood ratio with the exact likelihood of no count', () => {
    for (const [gene, full] of [
      [1, 0],
      [2, 1],
    ]) {
      const cells = [0, 1].map((group) => made.cells(group, gene));
      const pooled = {
        counts: cells.flatMap(({ counts }) => Array.from(counts)),
        sizeFactors: cells.flatMap(({ sizeFactors }) => Array.from(sizeFactors)),
      };
      const statistic = 2 * (fitDirect(cells[full], alpha).logLikelihood - fitDirect(pooled, alpha).logLikelihood);
      expect(statistic).toBeGreaterThan(10);
      expect(Math.abs(lrt.zScore[gene] ** 2 - statistic)).toBeLessThan(1e-7);
      expect(lrt.pValue[gene]).toBeLessThan(0.01);
    }
    expect(lrt.zScore[1]).toBeLessThan(0);
    expect(lrt.zScore[2]).toBeGreaterThan(0);
  });

  it('have a finite fold change and standard error, and no p-value under Wald', () => {
    for (const gene of [1, 2]) {
      expect(Number.isFinite(lrt.log2FoldChange[gene])).toBe(true);
      // Firth's estimate has about half a count to go by: a standard error near √2/ln 2.
      expect(lrt.standardErrorLog2[gene]).toBeGreaterThan(1.9);
      expect(lrt.standardErrorLog2[gene]).toBeLessThan(2.3);
      expect(wald.log2FoldChange[gene]).toBe(lrt.log2FoldChange[gene]);
      expect(wald.zScore[gene]).toBeNaN();
      expect(wald.pValue[gene]).toBeNaN();
    }
    expect([lrt.meanPerturbed[1], lrt.meanControl[2]]).toEqual([0, 0]);
  });

  it('give nothing where both are empty', () => {
    for (const values of [lrt.log2FoldChange, lrt.standardErrorLog2, lrt.zScore, lrt.pValue, lrt.log10PValue]) {
      expect(values[0]).toBeNaN();
    }
  });
});

describe('inputs at the edge', () => {
  it('keeps a p-value on the log scale that underflows as a double', () => {
    const made = tiny(
      Array.from({ length: 400 }, () => [1]),
      Array.from({ length: 400 }, () => [90]),
    );
    const result = fit(made, [0.001], { test: 'lrt' });
    expect(result.pValue[0]).toBe(0);
    expect(result.log10PValue[0]).toBeLessThan(-1000);
    expect(Number.isFinite(result.log10PValue[0])).toBe(true);
  });

  it('leaves filtered genes and empty groups untested', () => {
    const made = tiny([[1], [2], [0]], [[3], [1]]);
    expect(fit(made, [0.1], { test: 'lrt', geneStatus: [GeneStatus.filteredLowCells] }).status[0]).toBe(
      GeneStatus.filteredLowCells,
    );
    const nobody = tiny([[1], [2], [0]], []);
    const result = fit(nobody, [0.1], { test: 'lrt' });
    expect(result.status[0]).toBe(GeneStatus.tooFewCells);
    expect(result.pValue[0]).toBeNaN();
  });

  it('refuses dispersions that are negative or not finite', () => {
    const made = tiny([[1]], [[1]]);
    for (const alpha of [-1, NaN, Infinity]) {
      expect(() => fit(made, [alpha], { test: 'lrt' })).toThrow(InvalidInputError);
    }
  });
});
