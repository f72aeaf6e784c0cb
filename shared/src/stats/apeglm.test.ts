import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidInputError } from '../errors/index.js';
import { KernelHeap } from '../kernels/index.js';
import {
  logPosteriorDirect,
  profileCoefficientDirect,
  shrinkCoefficientDirect,
  type DirectMode,
  type DirectShrinkage,
} from './apeglm-direct.js';
import { normalPosteriorMode, shrinkFromStatistics, shrinkPerturbation, type ShrunkResult } from './apeglm.js';
import { GeneStatus } from './gene-status.js';
import { fitPerturbation, freezeControl, type NbResult } from './nb-fit.js';
import { SmallScreen } from './small-screen.reference.js';

/** Spread evenly, which fc.double is not: it favours numbers near 0. */
const between = (low: number, high: number): fc.Arbitrary<number> =>
  fc.integer({ min: 0, max: 1_000_000 }).map((n) => low + ((high - low) * n) / 1_000_000);

const MEANS = [0.02, 0.05, 0.3, 1, 3, 10, 50];
const DISPERSIONS = [0.01, 0.1, 0.7, 4];

const screen = new SmallScreen({
  seed: 31,
  groupCells: [600, 90],
  genes: MEANS.flatMap((mean) => DISPERSIONS.map((dispersion) => ({ mean, dispersion }))),
  sizeFactorSpread: 0.6,
});
// Effects: every second gene is moved in the perturbed cells, by whole counts, up or to nothing.
for (const [gene, counts] of screen.counts[1].entries()) {
  if (gene % 4 === 1) counts.forEach((y, cell) => (counts[cell] = 3 * y));
  if (gene % 4 === 3) counts.forEach((y, cell) => (counts[cell] = Math.floor(y / 2)));
}
const dispersions = screen.options.genes.map((gene) => gene.dispersion);

const shrink = (
  from: SmallScreen,
  alpha: ArrayLike<number>,
  scale: number,
): { fit: NbResult; shrunk: ShrunkResult } => {
  const heap = KernelHeap.create();
  const control = freezeControl(heap, from.nodes, from.measures(heap, 0), alpha);
  const perturbed = from.measures(heap, 1);
  const fit = fitPerturbation(heap, control, perturbed, { test: 'lrt' });
  return { fit, shrunk: shrinkPerturbation(heap, control, perturbed, fit, scale) };
};

const modelOf = (from: SmallScreen, gene: number, dispersion: number, priorScale: number): DirectShrinkage => {
  const arms = [0, 1].map((group) => from.cells(group, gene));
  const sizeFactors = arms.flatMap((arm) => Array.from(arm.sizeFactors));
  return {
    counts: arms.flatMap((arm) => Array.from(arm.counts)),
    sizeFactors,
    design: [sizeFactors.map(() => 1), arms.flatMap((arm, group) => Array.from(arm.counts, () => group))],
    dispersion,
    coefficient: 1,
    priorScale,
  };
};

/** The mode by sums over cells, from the likelihood's maximum and from 0. */
const direct = (from: SmallScreen, gene: number, dispersion: number, scale: number, fit: NbResult): DirectMode => {
  return shrinkCoefficientDirect(modelOf(from, gene, dispersion, scale), [fit.log2FoldChange[gene] * Math.LN2, 0]);
};

describe('shrinking the fold changes of one perturbation', () => {
  it.each([1, 0.2, 0.01])('agrees with sums over cells at a prior scale of %d', (scale) => {
    const { fit, shrunk } = shrink(screen, dispersions, scale);
    let compared = 0;
    for (let gene = 0; gene < screen.nGenes; gene++) {
      if (fit.status[gene] === GeneStatus.allZero) continue;
      const expected = direct(screen, gene, dispersions[gene], scale, fit);
      expect(expected.converged).toBe(true);
      expect(shrunk.converged[gene]).toBe(1);
      expect(Math.abs(shrunk.log2FoldChangeShrunk[gene] - expected.coefficients[1] / Math.LN2)).toBeLessThan(1e-7);
      expect(Math.abs((shrunk.standardErrorShrunkLog2[gene] * Math.LN2) / expected.standardError - 1)).toBeLessThan(
        1e-6,
      );
      compared++;
    }
    expect(compared).toBeGreaterThan(25);
  });

  it('moves a fold change towards 0 and never past it, but for the weak prior of the intercept', () => {
    const { fit, shrunk } = shrink(screen, dispersions, 0.2);
    for (let gene = 0; gene < screen.nGenes; gene++) {
      if (fit.status[gene] !== GeneStatus.tested || Math.abs(fit.log2FoldChange[gene]) < 0.2) continue;
      expect(Math.abs(shrunk.log2FoldChangeShrunk[gene])).toBeLessThan(Math.abs(fit.log2FoldChange[gene]));
      expect(Math.sign(shrunk.log2FoldChangeShrunk[gene])).toBe(Math.sign(fit.log2FoldChange[gene]));
    }
  });

  it('keeps a strong effect and removes a weak one', () => {
    const { fit, shrunk } = shrink(screen, dispersions, 0.05);
    const kept = MEANS.indexOf(50) * DISPERSIONS.length + 1;
    expect(fit.log2FoldChange[kept]).toBeGreaterThan(1);
    expect(shrunk.log2FoldChangeShrunk[kept] / fit.log2FoldChange[kept]).toBeGreaterThan(0.97);
    const weak = MEANS.indexOf(0.05) * DISPERSIONS.length;
    expect(Math.abs(shrunk.log2FoldChangeShrunk[weak])).toBeLessThan(0.1 * Math.abs(fit.log2FoldChange[weak]) + 0.01);
  });

  it('leaves the heap as it was, and genes that were not fitted as NaN', () => {
    const heap = KernelHeap.create();
    const control = freezeControl(heap, screen.nodes, screen.measures(heap, 0), dispersions);
    const perturbed = screen.measures(heap, 1);
    const geneStatus = dispersions.map((_, gene) => (gene === 25 ? GeneStatus.filteredLowCells : GeneStatus.tested));
    const fit = fitPerturbation(heap, control, perturbed, { test: 'wald', geneStatus });
    const before = heap.bytesInUse;
    const shrunk = shrinkPerturbation(heap, control, perturbed, fit, 0.3);
    expect(heap.bytesInUse).toBe(before);
    expect(shrunk.log2FoldChangeShrunk[25]).toBeNaN();
    expect(shrunk.standardErrorShrunkLog2[25]).toBeNaN();
    expect([shrunk.converged[25], shrunk.iterations[25]]).toEqual([0, 0]);
  });

  it('handles the Poisson limit: a dispersion of 0 continues one of 1e-12', () => {
    const zero = shrink(screen, new Float64Array(screen.nGenes), 0.3).shrunk;
    const small = shrink(screen, new Float64Array(screen.nGenes).fill(1e-12), 0.3).shrunk;
    for (let gene = 0; gene < screen.nGenes; gene++) {
      if (Number.isNaN(zero.log2FoldChangeShrunk[gene])) continue;
      expect(zero.log2FoldChangeShrunk[gene]).toBeCloseTo(small.log2FoldChangeShrunk[gene], 7);
      expect(zero.standardErrorShrunkLog2[gene]).toBeCloseTo(small.standardErrorShrunkLog2[gene], 7);
    }
  });

  it('refuses a prior scale that is not positive and finite', () => {
    for (const scale of [0, -1, NaN, Infinity]) {
      expect(() => shrink(screen, dispersions, scale)).toThrow(InvalidInputError);
      expect(() => shrinkFromStatistics([1], [1], scale)).toThrow(InvalidInputError);
    }
  });
});

describe('arms without counts', () => {
  // Genes: in neither arm, only in the control, only in the perturbed cells.
  const made = new SmallScreen({
    seed: 1,
    groupCells: [60, 40],
    genes: [0, 1, 2].map(() => ({ mean: 1, dispersion: 1 })),
    sizeFactorSpread: 0.4,
  });
  for (const [group, cells] of made.counts.entries()) {
    for (const [gene, counts] of cells.entries()) {
      counts.forEach((_, cell) => (counts[cell] = gene === group + 1 ? (cell % 4) + 1 : 0));
    }
  }
  const alpha = [0.5, 0.5, 0.5];

  it('have a finite mode, that of sums over cells', () => {
    for (const scale of [1, 0.1]) {
      const { fit, shrunk } = shrink(made, alpha, scale);
      expect([...fit.status]).toEqual([GeneStatus.allZero, GeneStatus.emptyPerturbedArm, GeneStatus.emptyControlArm]);
      expect([...shrunk.converged]).toEqual([0, 1, 1]);
      expect(shrunk.log2FoldChangeShrunk[0]).toBeNaN();
      for (const gene of [1, 2]) {
        const expected = direct(made, gene, 0.5, scale, fit);
        expect(shrunk.log2FoldChangeShrunk[gene] * Math.LN2).toBeCloseTo(expected.coefficients[1], 7);
        expect((shrunk.standardErrorShrunkLog2[gene] * Math.LN2) / expected.standardError).toBeCloseTo(1, 6);
      }
      // Far from 0 and of the right sign: forty cells without a count are no weak evidence.
      expect(shrunk.log2FoldChangeShrunk[1]).toBeLessThan(-3);
      expect(shrunk.log2FoldChangeShrunk[2]).toBeGreaterThan(3);
    }
  });
});

describe('shrinking from estimates and standard errors alone', () => {
  it('finds the highest mode', () => {
    let twoModes = 0;
    fc.assert(
      fc.property(
        between(-6, 6),
        between(Math.log(0.01), Math.log(5)).map(Math.exp),
        between(Math.log(1e-2), Math.log(3)).map(Math.exp),
        (zScore, d, scaleOverError) => {
          const [x, scale] = [zScore * d, scaleOverError * d];
          const found = normalPosteriorMode(x, d * d, scale);
          const value = (b: number): number => -((b - x) ** 2) / (2 * d * d) - Math.log1p((b / scale) ** 2);
          if (found.twoModes) twoModes++;
          const points = 400;
          const grid = Array.from({ length: points + 1 }, (_, i) =>
            value(scale * Math.sinh((i / points) * Math.asinh(x / scale))),
          );
          expect(Math.max(...grid)).toBeLessThan(value(found.mode) + 1e-12 * (1 + Math.abs(value(found.mode))));
          expect(found.variance).toBeGreaterThan(0);
          expect(Math.abs(found.mode)).toBeLessThanOrEqual(Math.abs(x));
        },
      ),
      { seed: 20_240_611, numRuns: 300 },
    );
    expect(twoModes).toBeGreaterThan(20);
  });

  it('comes near the full likelihood where there are many counts', () => {
    const { fit, shrunk } = shrink(screen, dispersions, 0.3);
    const quick = shrinkFromStatistics(fit.log2FoldChange, fit.standardErrorLog2, 0.3);
    const many = dispersions.flatMap((_, gene) => (screen.options.genes[gene].mean >= 3 ? [gene] : []));
    for (const gene of many) {
      const gap = Math.abs(quick.log2FoldChangeShrunk[gene] - shrunk.log2FoldChangeShrunk[gene]);
      expect(gap).toBeLessThan(0.1 * fit.standardErrorLog2[gene]);
    }
    expect(many.length).toBe(12);
  });

  it('keeps 0 as 0 and NaN as NaN', () => {
    const quick = shrinkFromStatistics([0, NaN, 1, 1], [1, 1, NaN, 0], 0.5);
    expect(quick.log2FoldChangeShrunk[0]).toBe(0);
    expect([...quick.log2FoldChangeShrunk.slice(1)]).toEqual([NaN, NaN, NaN]);
    expect([...quick.converged]).toEqual([1, 0, 0, 0]);
  });
});

describe('sums over cells under any design', () => {
  it('has a flat gradient at its mode, found from either start', () => {
    const model: DirectShrinkage = {
      ...modelOf(screen, 17, 0.1, 0.2),
      design: [...modelOf(screen, 17, 0.1, 0.2).design, Array.from({ length: screen.nCells }, (_, i) => Math.sin(i))],
    };
    const near = shrinkCoefficientDirect(model, [0]);
    const far = shrinkCoefficientDirect(model, [1]);
    expect([near.converged, far.converged]).toEqual([true, true]);
    const profiled = profileCoefficientDirect(model, near.coefficients[1]);
    expect(profiled.coefficients[2]).toBeCloseTo(near.coefficients[2], 7);
    expect(profiled.logPosterior).toBeCloseTo(near.logPosterior, 9);
    for (const c of [0, 1, 2]) {
      expect(near.coefficients[c]).toBeCloseTo(far.coefficients[c], 9);
      const moved = (by: number): number =>
        logPosteriorDirect(
          model,
          near.coefficients.map((beta, d) => beta + (c === d ? by : 0)),
        );
      expect(Math.abs(moved(1e-4) - moved(-1e-4)) / 2e-4).toBeLessThan(1e-4);
    }
  });
});
