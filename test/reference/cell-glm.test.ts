import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import {
  ComparisonCells,
  ComparisonTest,
  createComparisonDesign,
  type ComparisonTestOptions,
} from '@shardex/shared/stats';
import { expect, it } from 'vitest';
import { describeWithPeers, runPeerScript } from '../support/peers.js';

const SCRIPT = fileURLToPath(new URL('cell-glm.py', import.meta.url));

/** A made-up comparison with what a peer says of it. */
interface Comparison {
  /** Genes × cells. */
  readonly counts: readonly (readonly number[])[];
  /** The tested column, then the others. */
  readonly columns: readonly (readonly number[])[];
  readonly sizeFactors: readonly number[];
  readonly alphas: readonly number[];
}

interface Regression {
  readonly coefficients: readonly number[];
  readonly fisher: number;
  readonly robust: number;
  readonly statistic: number;
}

interface Influence {
  readonly cooks: readonly number[];
  readonly outlier: readonly boolean[];
  readonly coefficients: readonly (readonly number[])[];
}

const ask = async <Answer>(python: string, ...args: string[]): Promise<Comparison & Answer> =>
  runPeerScript(python, await readFile(SCRIPT, 'utf8'), args);

const testGenes = ({ counts, columns, sizeFactors, alphas }: Comparison, options: ComparisonTestOptions) => {
  const cells = new ComparisonCells(createComparisonDesign(columns), sizeFactors);
  const test = new ComparisonTest(cells, options);
  return counts.map((ofGene, gene) => {
    const at = ofGene.flatMap((count, cell) => (count > 0 ? [cell] : []));
    const placed = cells.place(
      at,
      at.map((cell) => ofGene[cell]),
    );
    return test.test(placed, alphas[gene]);
  });
};

describeWithPeers('single genes by single cells', (python) => {
  it('agrees with statsmodels: continuous covariates, robust errors, likelihood ratios', async () => {
    const theirs = await ask<{ genes: Regression[] }>(python, 'statsmodels');
    const options = {
      minMu: 0,
      test: 'lrt',
      waldReference: 'normal',
      standardErrors: 'robust',
      cooks: 'none',
    } as const;
    const results = testGenes(theirs, options);
    for (const [gene, { coefficients, fisher, robust, statistic }] of theirs.genes.entries()) {
      const ours = results[gene];
      expect(ours.converged).toBe(true);
      for (const [c, beta] of coefficients.entries()) expect(ours.coefficients[c]).toBeCloseTo(beta, 7);
      // Its Fisher information is that of the step before the last.
      expect((ours.standardErrorLog2 * Math.LN2) / fisher).toBeCloseTo(1, 6);
      expect((ours.standardErrorRobustLog2 * Math.LN2) / robust).toBeCloseTo(1, 6);
      expect(ours.zScore ** 2).toBeCloseTo(statistic, 6);
    }
  });

  it.each([1, 3])("finds PyDESeq2's largest Cook's distances and its outliers with %i batches", async (batches) => {
    const theirs = await ask<Influence>(python, 'pydeseq2', String(batches));
    const options = {
      minMu: 0.5,
      test: 'wald',
      waldReference: 'normal',
      standardErrors: 'fisher',
      cooks: 'filter',
    } as const;
    const results = testGenes(theirs, options);
    // Where its first step leads too far PyDESeq2 changes to L-BFGS-B, which ends elsewhere.
    const compared = results.flatMap(({ coefficients }, gene) =>
      theirs.coefficients[gene].every((beta, c) => Math.abs(beta - coefficients[c]) < 1e-3) ? [gene] : [],
    );
    expect(compared.length).toBeGreaterThan(36);
    expect(results.every(({ converged }) => converged)).toBe(true);
    for (const gene of compared) {
      // PyDESeq2 stops its fits at a relative change of 1e-8 in the likelihood.
      expect(Math.abs(results[gene].cooksDistance / theirs.cooks[gene] - 1), `gene ${gene}`).toBeLessThan(1e-3);
      expect(Number.isNaN(results[gene].pValue), `gene ${gene}`).toBe(theirs.outlier[gene]);
    }
    const outliers = compared.filter((gene) => theirs.outlier[gene]).length;
    expect(outliers).toBeGreaterThan(3);
    expect(outliers).toBeLessThan(compared.length - 3);
  });
});
