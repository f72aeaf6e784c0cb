import { describe, expect, it } from 'vitest';
import { KernelHeap, type GroupMeasures } from '../../kernels/index.js';
import { GeneStatus } from '../gene-status.js';
import { fitPerturbation, freezeControl, type NbResult } from '../nb-fit.js';
import { fitGlmDirect, type DirectGlm } from './strata-direct.reference.js';
import { strataDesign } from './strata-design.js';
import { fitStrata } from './strata-glm.js';
import { StrataScreen, type StrataScreenOptions } from './strata-screen.reference.js';

const GENES = [0.004, 0.02, 0.1, 0.4, 2, 8].flatMap((mean) =>
  [0.02, 0.3, 3].map((dispersion) => ({ mean, dispersion })),
);

const fit = (screen: StrataScreen, test: 'lrt' | 'wald' = 'lrt', dispersions = screen.dispersions): NbResult => {
  const design = strataDesign(screen.options.strata, screen.cellsOf(0), screen.cellsOf(1));
  return fitStrata(design, screen.arms(), screen.nodes.sizeFactors, dispersions, { test });
};

/** Dummies of every level of every factor beyond the first level, perturbed last. */
const direct = (screen: StrataScreen, gene: number, withBeta: boolean): DirectGlm => {
  const { strata } = screen.options;
  const occupied = strata.filter((_, s) => screen.cells.some(({ stratum }) => stratum === s));
  const dummies = strata[0].flatMap((_, c) =>
    [...new Set(occupied.map((levels) => levels[c]))].slice(1).map((level) => ({ c, level })),
  );
  return fitGlmDirect(
    {
      counts: screen.counts[gene],
      sizeFactors: screen.cells.map(({ sizeFactor }) => sizeFactor),
      design: screen.cells.map(({ arm, stratum }) => [
        1,
        ...dummies.map(({ c, level }) => (strata[stratum][c] === level ? 1 : 0)),
        ...(withBeta ? [arm] : []),
      ]),
    },
    screen.dispersions[gene],
  );
};

const DESIGNS: readonly (readonly [string, Omit<StrataScreenOptions, 'seed' | 'genes'>])[] = [
  [
    'one factor',
    {
      strata: [[0], [1], [2]],
      cells: [
        [120, 80, 60],
        [20, 45, 10],
      ],
      effect: 0.5,
      beta: -0.4,
    },
  ],
  [
    'strata that one arm lacks',
    {
      strata: [[0], [1], [2], [3]],
      cells: [
        [120, 80, 60, 0],
        [20, 45, 0, 30],
      ],
      effect: -0.3,
      beta: 0.3,
    },
  ],
  [
    'two factors, not all combinations',
    {
      strata: [
        [0, 0],
        [0, 1],
        [1, 0],
        [2, 0],
        [2, 1],
      ],
      cells: [
        [70, 40, 60, 30, 50],
        [12, 30, 0, 15, 10],
      ],
      effect: 0.4,
      beta: 0.2,
    },
  ],
  [
    'three factors',
    {
      strata: [0, 1, 2].flatMap((a) => [0, 1].flatMap((b) => [0, 1].map((c) => [a, b, c]))),
      cells: [
        [30, 20, 15, 22, 31, 9, 12, 18, 25, 7, 16, 21],
        [5, 9, 3, 0, 6, 8, 4, 2, 7, 11, 3, 5],
      ],
      effect: 0.3,
      beta: -0.6,
    },
  ],
];

describe.each(DESIGNS)('the joint fit with %s', (_, options) => {
  const screen = new StrataScreen({ ...options, seed: 5, genes: GENES });
  const lrt = fit(screen);
  const wald = fit(screen, 'wald');

  it('agrees with Newton over cells: fold change and standard error to 1e-8, the likelihood ratio to 1e-7', () => {
    let tested = 0;
    for (let gene = 0; gene < GENES.length; gene++) {
      if (lrt.status[gene] !== GeneStatus.tested) continue;
      tested++;
      const [full, reduced] = [direct(screen, gene, true), direct(screen, gene, false)];
      const statistic = 2 * (full.logLikelihood - reduced.logLikelihood);
      expect(Math.abs(lrt.zScore[gene] ** 2 - statistic)).toBeLessThan(1e-7);
      const last = full.coefficients.length - 1;
      // An empty stratum sends its own coefficients far out, where those of the oracle are not to the last bits.
      expect(lrt.log2FoldChange[gene]).toBeCloseTo(full.coefficients[last] / Math.LN2, 7);
      expect(wald.standardErrorLog2[gene]).toBeCloseTo(Math.sqrt(full.variances[last]) / Math.LN2, 7);
      const robust = wald.standardErrorRobustLog2?.[gene] ?? NaN;
      expect(wald.zScore[gene]).toBeCloseTo(wald.log2FoldChange[gene] / robust, 12);
      expect(Math.sign(lrt.zScore[gene])).toBe(Math.sign(lrt.log2FoldChange[gene]));
      expect(lrt.converged[gene]).toBe(1);
    }
    expect(tested).toBeGreaterThan(GENES.length * 0.6);
  });

  it('has the likelihood ratio of the limit where an arm is empty, and a finite fold change', () => {
    const empty = [...lrt.status].flatMap((status, gene) =>
      status === GeneStatus.emptyControlArm || status === GeneStatus.emptyPerturbedArm ? [gene] : [],
    );
    for (const gene of empty) {
      const [full, reduced] = [direct(screen, gene, true), direct(screen, gene, false)];
      expect(lrt.zScore[gene] ** 2).toBeCloseTo(2 * (full.logLikelihood - reduced.logLikelihood), 6);
      const sign = lrt.status[gene] === GeneStatus.emptyControlArm ? 1 : -1;
      expect(sign * full.coefficients[full.coefficients.length - 1]).toBeGreaterThan(10);
      expect(lrt.log2FoldChange[gene]).not.toBeNaN();
      expect(lrt.standardErrorLog2[gene]).toBeGreaterThan(0);
      expect(wald.pValue[gene]).toBeNaN();
    }
  });

  it('has the sandwich over cells for its robust standard error', () => {
    for (const gene of [9, 12, 15]) {
      const { robustVariance } = direct(screen, gene, true);
      expect(lrt.standardErrorRobustLog2?.[gene]).toBeCloseTo(Math.sqrt(robustVariance) / Math.LN2, 7);
    }
  });

  it('has a status for every gene and converges on all', () => {
    expect([...lrt.status]).not.toContain(GeneStatus.notConverged);
  });
});

describe('the joint fit', () => {
  const options = { seed: 9, genes: GENES, effect: 0, beta: -1.2 };

  it('is the two-group fit when there is one stratum, empty arms included', () => {
    const screen = new StrataScreen({ ...options, strata: [[0]], cells: [[150], [25]] });
    const { control, perturbed } = screen.arms();
    const heap = KernelHeap.create();
    const load = (measures: GroupMeasures): GroupMeasures => ({
      ...measures,
      nGenes: GENES.length,
      nNodes: screen.nodes.count,
      nCells: measures.nCells,
      S: heap.copyF64(measures.S),
      N: heap.copyF64(measures.N),
      sumCounts: heap.copyF64(measures.sumCounts),
    });
    const frozen = freezeControl(heap, screen.nodes, load(control[0] as GroupMeasures), screen.dispersions);
    const expected = fitPerturbation(heap, frozen, load(perturbed[0] as GroupMeasures), { test: 'lrt' });
    const joint = fit(screen);
    expect([...joint.status]).toEqual([...expected.status]);
    expect([...expected.status]).toContain(GeneStatus.emptyPerturbedArm);
    for (let gene = 0; gene < GENES.length; gene++) {
      if (expected.status[gene] === GeneStatus.allZero) continue;
      expect(joint.log2FoldChange[gene]).toBeCloseTo(expected.log2FoldChange[gene], 9);
      expect(joint.standardErrorLog2[gene]).toBeCloseTo(expected.standardErrorLog2[gene], 9);
      expect(joint.zScore[gene]).toBeCloseTo(expected.zScore[gene], 9);
      expect(joint.meanControl[gene]).toBeCloseTo(expected.meanControl[gene], 9);
      expect(joint.meanPerturbed[gene]).toBeCloseTo(expected.meanPerturbed[gene], 9);
    }
  });

  it('does not depend on the order of factors, nor on the order of strata', () => {
    const [, two] = DESIGNS[2];
    const screen = new StrataScreen({ ...two, seed: 3, genes: GENES });
    const swapped = two.strata.map(([a, b]) => [b, a]);
    const order = [3, 0, 4, 2, 1];
    const pick = <Value>(values: readonly Value[]): Value[] => order.map((s) => values[s]);
    const design = strataDesign(pick(swapped), pick(two.cells[0].slice()), pick(two.cells[1].slice()));
    const arms = screen.arms();
    const shuffled = { control: pick(arms.control), perturbed: pick(arms.perturbed) };
    const other = fitStrata(design, shuffled, screen.nodes.sizeFactors, screen.dispersions, { test: 'lrt' });
    const own = fit(screen);
    expect([...other.status]).toEqual([...own.status]);
    own.zScore.forEach((z, gene) => (Number.isNaN(z) ? undefined : expect(other.zScore[gene]).toBeCloseTo(z, 7)));
  });

  it('continues to a dispersion of 0', () => {
    const screen = new StrataScreen({ ...DESIGNS[0][1], seed: 4, genes: GENES });
    const zero = fit(
      screen,
      'lrt',
      GENES.map(() => 0),
    );
    const small = fit(
      screen,
      'lrt',
      GENES.map(() => 1e-12),
    );
    zero.zScore.forEach((z, gene) => (Number.isNaN(z) ? undefined : expect(small.zScore[gene]).toBeCloseTo(z, 6)));
  });

  it('says that a perturbation is collinear with a batch of its own, and tests nothing', () => {
    const screen = new StrataScreen({
      ...options,
      strata: [[0], [1], [2]],
      cells: [
        [50, 40, 0],
        [0, 0, 30],
      ],
    });
    const result = fit(screen);
    expect(new Set(result.status)).toEqual(new Set([GeneStatus.collinearDesign]));
    expect([...result.pValue, ...result.log2FoldChange].every(Number.isNaN)).toBe(true);
  });

  it('keeps the status of genes that were filtered, and says when an arm has no cells', () => {
    const screen = new StrataScreen({ ...DESIGNS[0][1], seed: 4, genes: GENES });
    const arms = screen.arms();
    const design = strataDesign(screen.options.strata, screen.cellsOf(0), screen.cellsOf(1));
    const geneStatus = GENES.map((_, gene) => (gene === 3 ? GeneStatus.filteredLowCells : GeneStatus.tested));
    const result = fitStrata(design, arms, screen.nodes.sizeFactors, screen.dispersions, { test: 'lrt', geneStatus });
    expect(result.status[3]).toBe(GeneStatus.filteredLowCells);
    expect(result.pValue[3]).toBeNaN();
    const none = strataDesign(screen.options.strata, screen.cellsOf(0), [0, 0, 0]);
    expect(fitStrata(none, arms, screen.nodes.sizeFactors, [1], { test: 'lrt' }).status[0]).toBe(
      GeneStatus.tooFewCells,
    );
  });
});
