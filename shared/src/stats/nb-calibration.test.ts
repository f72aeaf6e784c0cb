import { describe, expect, it } from 'vitest';
import {
  DispersionProfile,
  KernelHeap,
  MeasureAccumulator,
  loadRows,
  normalisedTotals,
  type GroupMeasures,
} from '../kernels/index.js';
import { chooseNodes } from './chebyshev-nodes.js';
import { CountHistogram } from './count-histogram.js';
import { estimateDispersions } from './dispersion-estimate.js';
import { createDispersionGrid, quantumExponents } from './dispersion-grid.js';
import { fitPerturbation, freezeControl } from './nb-fit.js';
import { CellSimulator } from './simulation-cells.js';
import { createSimulationModel } from './simulation-model.js';

/** The whole of the NB analysis, size factors and dispersions estimated, on a screen whose truth is known. */
function analyse(seed: number) {
  const model = createSimulationModel({
    nCells: 5000,
    nGenes: 600,
    nPerturbations: 20,
    controlFraction: 0.25,
    depth: 900,
    nBatches: 1,
    seed,
  });
  const { nCells, nGenes, nPerturbations } = model.parameters;
  const { indices, values, rowNnz } = new CellSimulator(model).simulate(0, nCells);
  const starts = new Float64Array(nCells + 1);
  const logTotals = new Float64Array(nCells);
  for (let cell = 0; cell < nCells; cell++) {
    starts[cell + 1] = starts[cell] + rowNnz[cell];
    logTotals[cell] = Math.log(values.subarray(starts[cell], starts[cell + 1]).reduce((sum, y) => sum + y, 0));
  }
  const centre = logTotals.reduce((sum, x) => sum + x, 0) / nCells;
  const sizeFactors = logTotals.map((x) => Math.exp(x - centre));

  const heap = KernelHeap.create();
  const nodes = chooseNodes(Math.min(...sizeFactors), Math.max(...sizeFactors));
  const histogram = new CountHistogram(nGenes);
  const groups: GroupMeasures[] = [];
  const totals = new Float64Array(nGenes);
  const means = new Float64Array(nGenes);
  for (let group = 0; group <= nPerturbations; group++) {
    const members = [...model.cellPerturbation.keys()].filter((cell) => model.cellPerturbation[cell] === group);
    const indptr = [0];
    for (const cell of members) indptr.push(indptr[indptr.length - 1] + rowNnz[cell]);
    const rows = loadRows(heap, {
      indptr,
      indices: members.flatMap((cell) => [...indices.subarray(starts[cell], starts[cell + 1])]),
      counts: members.flatMap((cell) => [...values.subarray(starts[cell], starts[cell + 1])]),
    });
    const measures = new MeasureAccumulator(heap, nGenes, nodes);
    measures.addRows(
      rows,
      members.map((cell) => sizeFactors[cell]),
    );
    histogram.addRows(rows);
    groups.push(measures);
    const normalised = normalisedTotals(heap, measures, nodes);
    for (let gene = 0; gene < nGenes; gene++) {
      totals[gene] += measures.sumCounts[gene];
      means[gene] += normalised[gene] / nCells;
    }
  }
  const grid = createDispersionGrid();
  const exponents = quantumExponents(totals, nCells);
  const profile = new DispersionProfile(heap, nGenes, nodes.sizeFactors, grid.logAlphas, exponents);
  for (const group of groups) profile.addGroup(group);
  const dispersions = estimateDispersions(heap, {
    profileSums: profile.sums,
    grid,
    quantumExponents: exponents,
    histogram,
    meanNormalised: means,
    totals,
    nCells,
    nGroups: groups.length,
  });
  const control = freezeControl(heap, nodes, groups[0], dispersions.final);
  const results = groups.slice(1).map((group) => fitPerturbation(heap, control, group, { test: 'lrt' }));
  return { model, means, dispersions, results };
}

describe('the likelihood-ratio test on a simulated screen', () => {
  const { model, means, dispersions, results } = analyse(17);
  const { nGenes } = model.parameters;
  const truth = (k: number): Float64Array => {
    const effects = new Float64Array(nGenes);
    for (let i = model.effectOffsets[k]; i < model.effectOffsets[k + 1]; i++) {
      effects[model.effectGenes[i]] = model.effectLogFoldChanges[i];
    }
    return effects;
  };

  it('rejects true nulls at its level, rarely expressed genes included', () => {
    const bins = [
      { most: 0.05, tests: 0, rejected: 0 },
      { most: Infinity, tests: 0, rejected: 0 },
    ];
    for (const [k, result] of results.entries()) {
      const effects = truth(k);
      // A perturbation that changes many genes shifts the share of all others in the total.
      if (effects.filter((effect) => effect !== 0).length > 40) continue;
      for (let gene = 0; gene < nGenes; gene++) {
        if (effects[gene] !== 0 || means[gene] < 0.01 || Number.isNaN(result.pValue[gene])) continue;
        const bin = means[gene] < bins[0].most ? bins[0] : bins[1];
        bin.tests++;
        if (result.pValue[gene] < 0.05) bin.rejected++;
      }
    }
    const [rare, common] = bins;
    expect(rare.tests).toBeGreaterThan(1000);
    expect(common.tests).toBeGreaterThan(4000);
    const share = (rare.rejected + common.rejected) / (rare.tests + common.tests);
    expect(share).toBeGreaterThan(0.04);
    expect(share).toBeLessThan(0.06);
    // Fewer tests, hence a wider band: four standard deviations of a binomial share.
    const band = 4 * Math.sqrt((0.05 * 0.95) / rare.tests);
    expect(Math.abs(rare.rejected / rare.tests - 0.05)).toBeLessThan(band);
  });

  it('finds knock-downs, with fold changes that are not shrunk', () => {
    const pairs: [truth: number, found: number][] = [];
    for (const [k, result] of results.entries()) {
      const effects = truth(k);
      if (effects.filter((effect) => effect !== 0).length > 40) continue;
      for (let gene = 0; gene < nGenes; gene++) {
        if (Math.abs(effects[gene]) < 0.3 || means[gene] < 0.5) continue;
        pairs.push([effects[gene] / Math.LN2, result.log2FoldChange[gene]]);
        if (effects[gene] < -1.5) expect(result.pValue[gene]).toBeLessThan(1e-4);
      }
    }
    expect(pairs.length).toBeGreaterThan(40);
    const slope = pairs.reduce((sum, [x, y]) => sum + x * y, 0) / pairs.reduce((sum, [x]) => sum + x * x, 0);
    expect(Math.abs(slope - 1)).toBeLessThan(0.1);
  });

  it('recovers the dispersions', () => {
    const errors: number[] = [];
    for (let gene = 0; gene < nGenes; gene++) {
      if (means[gene] > 0.1) errors.push(Math.log(dispersions.final[gene] / model.dispersion[gene]));
    }
    const rmse = Math.sqrt(errors.reduce((sum, error) => sum + error * error, 0) / errors.length);
    expect(rmse).toBeLessThan(0.2);
  });
});
