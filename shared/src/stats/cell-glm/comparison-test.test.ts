import { describe, expect, it } from 'vitest';
import { KernelHeap, loadRows, MeasureAccumulator } from '../../kernels/index.js';
import { chooseNodes } from '../chebyshev-nodes.js';
import { GeneStatus } from '../gene-status.js';
import { fitPerturbation, freezeControl } from '../nb-fit.js';
import { simulatedComparison, type SimulatedComparison } from './simulated-comparison.reference.js';
import { ComparisonCells } from './comparison-cells.js';
import { createComparisonDesign } from './comparison-design.js';
import { ComparisonTest, type ComparisonTestOptions, type GeneComparison } from './comparison-test.js';
import { ArmGlm, compareArms } from './separable-test.js';

const ALPHAS = [0, 1e-6, 0.05, 0.5, 3, 200];
const OPTIONS: ComparisonTestOptions = {
  minMu: 0,
  test: 'lrt',
  waldReference: 'normal',
  standardErrors: 'fisher',
  cooks: 'none',
};

const testGenes = (data: SimulatedComparison, alphas: readonly number[], options: ComparisonTestOptions) => {
  const cells = new ComparisonCells(createComparisonDesign(data.columns), data.sizeFactors);
  const test = new ComparisonTest(cells, options);
  return data.genes.map((gene, g) => test.test(cells.place(gene.cells, gene.counts), alphas[g % alphas.length]));
};

describe('two groups without a clamp', () => {
  const data = simulatedComparison({ nCells: 260, nPerturbed: 60, nGenes: 48, covariates: 0 });
  // Arms without counts, and genes without any.
  const empty = (gene: number, isIn: (cell: number) => boolean): void => {
    const { cells, counts } = data.genes[gene];
    data.genes[gene] = { cells: cells.filter((c) => !isIn(c)), counts: counts.filter((_, k) => !isIn(cells[k])) };
  };
  for (let gene = 0; gene < 12; gene++) empty(gene, (cell) => (gene < 6 ? cell >= 200 : cell < 200));
  empty(12, () => true);
  const alphas = data.genes.map((_, gene) => ALPHAS[gene % ALPHAS.length]);

  it.each(['lrt', 'wald'] as const)('gives the numbers of the compressed measures by %s', (test) => {
    const heap = KernelHeap.create();
    const nodes = chooseNodes(Math.min(...data.sizeFactors), Math.max(...data.sizeFactors));
    const armOf = (from: number, to: number): MeasureAccumulator => {
      const rows = loadRows(heap, data.rows(from, to));
      const measures = new MeasureAccumulator(heap, data.genes.length, nodes);
      measures.addRows(rows, data.sizeFactors.slice(from, to));
      return measures;
    };
    const control = freezeControl(heap, nodes, armOf(0, 200), alphas);
    const measured = fitPerturbation(heap, control, armOf(200, 260), { test });
    const direct = testGenes(data, alphas, { ...OPTIONS, test });
    const compare = (numbers: Float64Array, of: (gene: GeneComparison) => number): void => {
      for (const [gene, result] of direct.entries()) {
        if (Number.isNaN(numbers[gene])) expect(of(result)).toBeNaN();
        else expect(Math.abs(of(result) - numbers[gene]), `gene ${gene}`).toBeLessThan(2e-7);
      }
    };
    expect(direct.map(({ status }) => status)).toEqual([...measured.status]);
    expect(new Set(measured.status)).toEqual(
      new Set([GeneStatus.tested, GeneStatus.emptyPerturbedArm, GeneStatus.emptyControlArm, GeneStatus.allZero]),
    );
    compare(measured.log2FoldChange, (gene) => gene.log2FoldChange);
    compare(measured.standardErrorLog2, (gene) => gene.standardErrorLog2);
    compare(measured.zScore, (gene) => gene.zScore);
    compare(measured.meanControl, (gene) => Math.exp(gene.intercept));
  });

  it('does not depend on the order of cells', () => {
    const order = data.sizeFactors.map((_, cell) => (cell * 97) % data.sizeFactors.length);
    const placeOf = new Map(order.map((cell, place) => [cell, place]));
    const shuffled: SimulatedComparison = {
      ...data,
      columns: data.columns.map((column) => order.map((cell) => column[cell])),
      sizeFactors: order.map((cell) => data.sizeFactors[cell]),
      genes: data.genes.map(({ cells, counts }) => ({ cells: cells.map((cell) => placeOf.get(cell) ?? -1), counts })),
    };
    const options = { ...OPTIONS, standardErrors: 'robust' } as const;
    const [one, other] = [testGenes(data, alphas, options), testGenes(shuffled, alphas, options)];
    for (const [gene, { log2FoldChange, standardErrorRobustLog2 }] of one.entries()) {
      if (Number.isNaN(log2FoldChange)) continue;
      expect(other[gene].log2FoldChange).toBeCloseTo(log2FoldChange, 10);
      if (!Number.isNaN(standardErrorRobustLog2))
        expect(other[gene].standardErrorRobustLog2).toBeCloseTo(standardErrorRobustLog2, 10);
    }
  });
});

describe('covariates', () => {
  const data = simulatedComparison({ nCells: 300, nPerturbed: 100, nGenes: 24, covariates: 2 });

  it('has a score of zero at the maximum, summed over all cells', () => {
    const results = testGenes(data, ALPHAS, { ...OPTIONS, test: 'wald' });
    expect(results.every(({ converged }) => converged)).toBe(true);
    const cells = new ComparisonCells(createComparisonDesign(data.columns), data.sizeFactors);
    const test = new ComparisonTest(cells, OPTIONS);
    let tested = 0;
    for (const [g, gene] of data.genes.entries()) {
      const alpha = ALPHAS[g % ALPHAS.length];
      const { coefficients, status } = test.test(cells.place(gene.cells, gene.counts), alpha);
      if (status !== GeneStatus.tested) continue;
      tested++;
      const y = data.dense(g);
      for (let c = 0; c <= data.columns.length; c++) {
        const x = (cell: number, d: number): number => (d === 0 ? 1 : data.columns[d - 1][cell]);
        let [score, size] = [0, 0];
        for (let cell = 0; cell < y.length; cell++) {
          const eta = coefficients.reduce((sum, beta, d) => sum + beta * x(cell, d), 0);
          const mu = data.sizeFactors[cell] * Math.exp(eta);
          const term = (x(cell, c) * (y[cell] - mu)) / (1 + alpha * mu);
          score += term;
          size += Math.abs(term);
        }
        expect(Math.abs(score)).toBeLessThan(1e-8 * Math.max(size, 1));
      }
    }
    expect(tested).toBeGreaterThan(20);
  });

  it('tests a gene that a whole level of a covariate does not express', () => {
    const isFirst = data.columns[1].map((value) => value < 0);
    const columns = [data.columns[0], isFirst.map(Number)];
    const genes = data.genes.map(({ cells, counts }) => ({
      cells: cells.filter((cell) => !isFirst[cell]),
      counts: counts.filter((_, k) => !isFirst[cells[k]]),
    }));
    const withLevel = testGenes({ ...data, columns, genes }, [0.5], OPTIONS);
    // The same as leaving that level's cells out.
    const kept = isFirst.flatMap((first, cell) => (first ? [] : [cell]));
    const placeOf = new Map(kept.map((cell, place) => [cell, place]));
    const without = testGenes(
      {
        ...data,
        columns: [kept.map((cell) => data.columns[0][cell])],
        sizeFactors: kept.map((cell) => data.sizeFactors[cell]),
        genes: genes.map(({ cells, counts }) => ({ cells: cells.map((cell) => placeOf.get(cell) ?? -1), counts })),
      },
      [0.5],
      OPTIONS,
    );
    for (const [gene, result] of withLevel.entries()) {
      expect(result.status).toBe(without[gene].status);
      expect(result.log2FoldChange).toBeCloseTo(without[gene].log2FoldChange, 6);
      expect(result.standardErrorLog2).toBeCloseTo(without[gene].standardErrorLog2, 6);
      expect(result.zScore).toBeCloseTo(without[gene].zScore, 4);
    }
  });

  it('is not converged where the data do not bound the fold change', () => {
    // All counts of the perturbed arm are in a batch without reference cells.
    const columns = [
      [0, 0, 0, 0, 1, 1, 1, 1],
      [0, 0, 0, 0, 0, 0, 1, 1],
    ];
    const comparison = {
      ...data,
      columns,
      sizeFactors: [1, 2, 1, 1, 1, 2, 1, 1],
      genes: [{ cells: [0, 1, 6], counts: [2, 3, 4] }],
    };
    expect(testGenes(comparison, [0.1], { ...OPTIONS, test: 'wald' })[0].status).toBe(GeneStatus.notConverged);
  });
});

describe('a clamp', () => {
  it.each([0, 2])('is at the fixed point of reweighted least squares with %i covariates', (covariates) => {
    const data = simulatedComparison({ nCells: 120, nPerturbed: 50, nGenes: 16, covariates });
    const options = { ...OPTIONS, minMu: 0.5, test: 'wald' } as const;
    const results = testGenes(data, [0.05, 0.5, 3, 200], options);
    for (const [g, result] of results.entries()) {
      const alpha = [0.05, 0.5, 3, 200][g % 4];
      expect(result.converged).toBe(true);
      // One more step of the plain recursion over all cells leads nowhere.
      const y = data.dense(g);
      const p = data.columns.length + 1;
      const x = (cell: number, d: number): number => (d === 0 ? 1 : data.columns[d - 1][cell]);
      const gradient = new Float64Array(p);
      for (let cell = 0; cell < y.length; cell++) {
        const s = data.sizeFactors[cell];
        const eta = result.coefficients.reduce((sum, beta, d) => sum + beta * x(cell, d), 0);
        const mu = Math.max(s * Math.exp(eta), 0.5);
        const residual = (mu / (1 + alpha * mu)) * (Math.log(mu / s) + (y[cell] - mu) / mu - eta);
        for (let c = 0; c < p; c++) gradient[c] += x(cell, c) * residual;
      }
      for (let c = 0; c < p; c++) expect(Math.abs(gradient[c] - 1e-6 * result.coefficients[c])).toBeLessThan(1e-6);
    }
  });

  it.each(['fisher', 'robust'] as const)(
    'fits two arms by themselves as it fits them together, %s',
    (standardErrors) => {
      const data = simulatedComparison({ nCells: 120, nPerturbed: 50, nGenes: 16, covariates: 0 });
      const together = testGenes(data, [0.5], { ...OPTIONS, minMu: 0.5, test: 'wald', standardErrors });
      const split = 70;
      const arms = [
        new ArmGlm(data.sizeFactors.slice(0, split), 0.5, standardErrors),
        new ArmGlm(data.sizeFactors.slice(split), 0.5, standardErrors),
      ];
      for (const [gene, { cells, counts }] of data.genes.entries()) {
        const [control, perturbed] = arms.map((arm, a) => {
          const kept = cells.flatMap((cell, k) => (cell < split === (a === 0) ? [k] : []));
          return arm.fit(
            arm.cells.place(
              kept.map((k) => cells[k] - a * split),
              kept.map((k) => counts[k]),
            ),
            0.5,
          );
        });
        const apart = compareArms(control, perturbed, Infinity);
        expect(apart.status).toBe(together[gene].status);
        if (apart.status === GeneStatus.allZero) continue;
        expect(Math.abs(apart.log2FoldChange - together[gene].log2FoldChange)).toBeLessThan(1e-6);
        expect(apart.standardErrorLog2).toBeCloseTo(together[gene].standardErrorLog2, 6);
        expect(Math.abs(apart.zScore - together[gene].zScore)).toBeLessThan(1e-5);
      }
    },
  );

  it('has the Wald test use t when asked', () => {
    const data = simulatedComparison({ nCells: 60, nPerturbed: 25, nGenes: 4, covariates: 0 });
    const [normal, t] = (['normal', 't'] as const).map((waldReference) =>
      testGenes(data, [0.3], { ...OPTIONS, minMu: 0.5, test: 'wald', waldReference }),
    );
    for (const [gene, { pValue, zScore }] of t.entries()) {
      expect(zScore).toBe(normal[gene].zScore);
      expect(pValue).toBeGreaterThan(normal[gene].pValue);
    }
  });
});
