import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CellSimulator } from './simulation-cells.js';
import {
  cellRandom,
  createSimulationModel,
  type SimulationModel,
  type SimulationParameters,
} from './simulation-model.js';

const PARAMETERS: SimulationParameters = {
  nCells: 6000,
  nGenes: 60,
  nPerturbations: 10,
  controlFraction: 0.3,
  depth: 600,
  nBatches: 3,
  seed: 11,
};

/** The slow twin: every gene's NB quantile by plain summation of its mass function, no shortcut for zeros. */
function simulateSlowly(model: SimulationModel, cell: number): Map<number, number> {
  const { parameters, geneMean, batchEffects, dispersion, sizeFactor } = model;
  const random = cellRandom(parameters.seed, cell);
  const row = new Map<number, number>();
  const k = model.cellPerturbation[cell] - 1;
  for (let gene = 0; gene < parameters.nGenes; gene++) {
    let m =
      geneMean[gene] * Math.exp(batchEffects[model.cellBatch[cell] * parameters.nGenes + gene]) * sizeFactor[cell];
    for (let i = k < 0 ? 0 : model.effectOffsets[k]; k >= 0 && i < model.effectOffsets[k + 1]; i++) {
      if (model.effectGenes[i] === gene) m *= Math.exp(model.effectLogFoldChanges[i]);
    }
    let v = (random.next() >>> 0) / 2 ** 32;
    // Only numbers that can still mean a positive count are extended, so that both twins use the stream alike.
    if (v < m) v += ((random.next() >>> 0) + 0.5) / 2 ** 64;
    const r = 1 / dispersion[gene];
    let mass = Math.exp(-r * Math.log(1 + m / r));
    let y = 0;
    for (let tail = 1 - mass; v < tail && y < 1e6; tail -= mass) {
      y++;
      mass *= ((r + y - 1) / y) * (m / (r + m));
    }
    if (y > 0) row.set(gene, y);
  }
  return row;
}

describe('the simulated model', () => {
  const model = createSimulationModel(PARAMETERS);

  it('scales gene means to the depth and size factors to geometric mean 1', () => {
    expect(model.geneMean.reduce((sum, mean) => sum + mean, 0)).toBeCloseTo(PARAMETERS.depth, 8);
    expect(model.sizeFactor.reduce((sum, factor) => sum + Math.log(factor), 0) / 6000).toBeCloseTo(0, 12);
    expect(model.dispersion.every((alpha) => alpha >= 0.02 && alpha <= 8)).toBe(true);
  });

  it('gives the control its share and every perturbation at least one cell', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 0, max: 60 }),
        fc.integer({ min: 1, max: 2 ** 32 - 1 }),
        (nPerturbations, spare, seed) => {
          const nCells = 2 * nPerturbations + 2 + spare;
          const small = createSimulationModel({ ...PARAMETERS, nCells, nPerturbations, seed, nGenes: 12 });
          const counts = new Map<number, number>();
          for (const k of small.cellPerturbation) counts.set(k, (counts.get(k) ?? 0) + 1);
          expect(counts.get(0)).toBe(Math.max(1, Math.floor(nCells * PARAMETERS.controlFraction)));
          expect(counts.size).toBe(nPerturbations + 1);
        },
      ),
      { seed: 5, numRuns: 30 },
    );
  });

  it('knocks every target down and keeps labels unique when there are more perturbations than genes', () => {
    const crowded = createSimulationModel({ ...PARAMETERS, nPerturbations: 150 });
    expect(new Set(crowded.perturbationNames).size).toBe(150);
    expect(crowded.perturbationNames.some((name) => name.endsWith('-2'))).toBe(true);
    crowded.perturbationNames.forEach((name, k) => {
      const begin = crowded.effectOffsets[k];
      const genes = [...crowded.effectGenes.subarray(begin, crowded.effectOffsets[k + 1])];
      const target = crowded.geneNames.indexOf(name.split('-')[0] ?? '');
      expect(crowded.effectLogFoldChanges[begin + genes.indexOf(target)]).toBe(Math.fround(-1.8));
      expect(genes).toEqual([...new Set(genes)].sort((a, b) => a - b));
    });
  });

  it('draws the same model for the same parameters and another for another seed', () => {
    expect(createSimulationModel(PARAMETERS)).toEqual(model);
    expect(createSimulationModel({ ...PARAMETERS, seed: 12 }).geneMean).not.toEqual(model.geneMean);
  });
});

describe('simulated cells', () => {
  const model = createSimulationModel(PARAMETERS);
  const simulator = new CellSimulator(model);

  it('equal the slow twin that sums the mass function of every gene', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 2 ** 31 }),
        fc.double({ min: 1, max: 50_000, noNaN: true }),
        (seed, depth) => {
          const small = createSimulationModel({ ...PARAMETERS, nCells: 30, seed, depth });
          const { indices, values, rowNnz } = new CellSimulator(small).simulate(0, 30);
          let at = 0;
          for (let cell = 0; cell < 30; cell++) {
            const end = at + rowNnz[cell];
            const row = [...indices.subarray(at, end)].map((gene, i) => [gene, values[at + i]]);
            expect(row).toEqual([...simulateSlowly(small, cell)]);
            at = end;
          }
          expect(at).toBe(indices.length);
        },
      ),
      { seed: 3, numRuns: 25 },
    );
  });

  it('do not depend on the range they are asked for in', () => {
    const whole = simulator.simulate(0, 100);
    const parts = [simulator.simulate(0, 1), simulator.simulate(1, 64), new CellSimulator(model).simulate(64, 100)];
    expect(parts.flatMap(({ indices }) => [...indices])).toEqual([...whole.indices]);
    expect(parts.flatMap(({ values }) => [...values])).toEqual([...whole.values]);
    expect(parts.flatMap(({ rowNnz }) => [...rowNnz])).toEqual([...whole.rowNnz]);
  });

  // Per gene, over independent cells with mean m_c and variance V_c = m_c + α m_c²: the sum of (y − m)/√V has standard
  // deviation √N. The squared deviations (y − m)²/V have mean 1 and variance 2 + κ_c, where for the negative binomial
  // the excess kurtosis is κ = 6α + 1/V. Five standard deviations leave 60 genes with a false alarm in 30,000 seeds.
  it('have mean m and variance m + αm², gene by gene', () => {
    const { nCells, nGenes } = PARAMETERS;
    const { indices, values, rowNnz } = simulator.simulate(0, nCells);
    const deviations = new Float64Array(nGenes);
    const squares = new Float64Array(nGenes);
    const squaresVariance = new Float64Array(nGenes);
    let at = 0;
    for (let cell = 0; cell < nCells; cell++) {
      const counts = new Float64Array(nGenes);
      for (let i = 0; i < rowNnz[cell]; i++, at++) counts[indices[at]] = values[at];
      const means = simulator.meansOf(cell);
      for (let gene = 0; gene < nGenes; gene++) {
        const m = means[gene];
        const alpha = model.dispersion[gene];
        const variance = m + alpha * m * m;
        const deviation = (counts[gene] - m) ** 2 / variance;
        deviations[gene] += (counts[gene] - m) / Math.sqrt(variance);
        squares[gene] += deviation - 1;
        squaresVariance[gene] += 2 + 6 * alpha + 1 / variance;
      }
    }
    for (let gene = 0; gene < nGenes; gene++) {
      expect(Math.abs(deviations[gene]) / Math.sqrt(nCells)).toBeLessThan(5);
      expect(Math.abs(squares[gene]) / Math.sqrt(squaresVariance[gene])).toBeLessThan(5);
    }
  });

  it('follow the effects: a knocked-down gene has e^-1.8 of the control mean', () => {
    const control = model.cellPerturbation.indexOf(0);
    const treated = model.cellPerturbation.indexOf(1);
    const target = model.geneNames.indexOf(model.perturbationNames[0] ?? '');
    const relative = (cell: number): number =>
      simulator.meansOf(cell)[target] /
      (model.sizeFactor[cell] *
        model.geneMean[target] *
        Math.exp(model.batchEffects[model.cellBatch[cell] * PARAMETERS.nGenes + target]));
    expect(relative(treated) / relative(control)).toBeCloseTo(Math.exp(-1.8), 6);
  });
});
