import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { accumulateMeasuresReference, weightedRowSumsReference } from './accumulate-measures.reference.js';
import { MeasureAccumulator } from './accumulate-measures.js';
import { fitIntercepts, isConverged, isEmptyArm } from './fit-intercepts.js';
import type { HeapRows } from './heap-rows.js';
import { KernelHeap } from './kernel-heap.js';
import { likelihoodRatios } from './likelihood-ratio.js';
import {
  fitInterceptReference,
  likelihoodRatioReference,
  profileSlopeReference,
  type GeneMeasures,
} from './measure-fit.reference.js';
import { NodeBasis, loadMeasures, nodeLogs, normalisedTotals, type GroupMeasures, type NodeSet } from './node-basis.js';
import { DispersionProfile } from './profile-grid.js';

const SEED = { seed: 20_240_611, numRuns: 60 };

const nodesOver = (count: number, low: number, high: number): NodeSet => {
  const [logMin, logMax] = [Math.log(low), Math.log(high)];
  return { count, logMin, logMax, bound: 0, sizeFactors: nodeLogs(count, logMin, logMax).map(Math.exp) };
};

/** Rows as fast-check makes them: for each row its size factor and a count (mostly 0) for each gene. */
const screen = (nGenes: number): fc.Arbitrary<{ s: number; counts: number[] }[]> =>
  fc.array(
    fc.record({
      s: fc.double({ min: 0.2, max: 5, noNaN: true }),
      counts: fc.array(fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.nat({ max: 400 })), {
        minLength: nGenes,
        maxLength: nGenes,
      }),
    }),
    { minLength: 1, maxLength: 40 },
  );

const toRows = (heap: KernelHeap, cells: readonly { counts: readonly number[] }[]): HeapRows => {
  const indptr = [0];
  const indices: number[] = [];
  const counts: number[] = [];
  for (const cell of cells) {
    for (const [gene, count] of cell.counts.entries()) {
      if (count === 0) continue;
      indices.push(gene);
      counts.push(count);
    }
    indptr.push(indices.length);
  }
  return {
    nRows: cells.length,
    indptr: heap.copyU32(indptr),
    indices: heap.copyU32(indices),
    counts: heap.copyU32(counts),
  };
};

const geneOf = (measures: GroupMeasures, gene: number): GeneMeasures => ({
  S: measures.S.slice(gene * measures.nNodes, (gene + 1) * measures.nNodes),
  N: measures.N.slice(),
  total: measures.sumCounts[gene],
});

describe('accumulating measures', () => {
  it('gives the same bits as the plain twin for every number of nodes', () => {
    fc.assert(
      fc.property(screen(5), fc.integer({ min: 2, max: 32 }), (cells, halfCount) => {
        const heap = KernelHeap.create();
        const nodes = nodesOver(2 * halfCount, 0.2, 5);
        const rows = toRows(heap, cells);
        const accumulator = new MeasureAccumulator(heap, 5, nodes, true);
        accumulator.addRows(
          rows,
          cells.map((cell) => cell.s),
        );
        const basis = new NodeBasis(nodes);
        const weights = new Float64Array(cells.length * nodes.count);
        for (const [i, cell] of cells.entries()) basis.write(cell.s, weights, i * nodes.count);
        const twin = {
          S: new Float64Array(5 * nodes.count),
          sumCounts: new Float64Array(5),
          squares: new Float64Array(5 * nodes.count),
        };
        accumulateMeasuresReference(rows, weights, nodes.count, twin);
        expect([...accumulator.S]).toEqual([...twin.S]);
        expect([...(accumulator.squares ?? [])]).toEqual([...twin.squares]);
        expect([...accumulator.sumCounts]).toEqual([...twin.sumCounts]);
        expect(accumulator.nCells).toBe(cells.length);
      }),
      SEED,
    );
  });

  it('gives the same bits however the cells are cut into blocks, also beyond one internal block', () => {
    const heap = KernelHeap.create();
    const nodes = nodesOver(12, 0.2, 5);
    const cells = Array.from({ length: 1300 }, (_, i) => ({ s: 0.3 + (i % 17) / 5, counts: [i % 3, (i * 7) % 11] }));
    const whole = new MeasureAccumulator(heap, 2, nodes);
    whole.addRows(
      toRows(heap, cells),
      cells.map((cell) => cell.s),
    );
    const parts = new MeasureAccumulator(heap, 2, nodes);
    for (let at = 0; at < cells.length; at += 177) {
      const part = cells.slice(at, at + 177);
      parts.addRows(
        toRows(heap, part),
        part.map((cell) => cell.s),
      );
    }
    expect([...parts.S]).toEqual([...whole.S]);
    expect([...parts.N]).toEqual([...whole.N]);
    whole.reset();
    expect(whole.nCells + whole.S.reduce((a, b) => a + Math.abs(b), 0)).toBe(0);
  });

  it('keeps every sum of a smooth function of log s', () => {
    const heap = KernelHeap.create();
    const nodes = nodesOver(24, 0.2, 5);
    const cells = Array.from({ length: 200 }, (_, i) => ({ s: 0.2 * 25 ** (i / 199), counts: [1 + (i % 4)] }));
    const accumulator = new MeasureAccumulator(heap, 1, nodes);
    accumulator.addRows(
      toRows(heap, cells),
      cells.map((cell) => cell.s),
    );
    for (const t of [0.01, 1, 300]) {
      let direct = 0;
      for (const cell of cells) direct += cell.counts[0] * Math.log1p(t * cell.s);
      let kept = 0;
      for (let k = 0; k < 24; k++) kept += accumulator.S[k] * Math.log1p(t * nodes.sizeFactors[k]);
      expect(Math.abs(kept / direct - 1)).toBeLessThan(1e-11);
    }
    let direct = 0;
    for (const cell of cells) direct += cell.counts[0] / cell.s;
    expect(Math.abs(normalisedTotals(heap, accumulator, nodes)[0] / direct - 1)).toBeLessThan(1e-11);
    // Measures that were read back lie outside the heap.
    const { nGenes, nNodes, nCells, N, sumCounts } = accumulator;
    const outside = { nGenes, nNodes, nCells, N, sumCounts, S: Float64Array.from(accumulator.S) };
    expect(normalisedTotals(heap, outside, nodes)).toEqual(normalisedTotals(heap, accumulator, nodes));
  });
});

describe('sums over nodes', () => {
  it('equal their plain twin to the bit', () => {
    const finite = fc.double({ min: -1e9, max: 1e9, noNaN: true });
    const table = fc.integer({ min: 1, max: 8 }).chain((halfOfNodes) => {
      const row = fc.array(finite, { minLength: 2 * halfOfNodes, maxLength: 2 * halfOfNodes });
      return fc.record({ weights: row, rows: fc.array(row, { minLength: 1, maxLength: 9 }) });
    });
    const heap = KernelHeap.create();
    fc.assert(
      fc.property(table, ({ weights, rows }) => {
        heap.scoped(() => {
          const [values, factors, sums] = [heap.copyF64(rows.flat()), heap.copyF64(weights), heap.f64(rows.length)];
          const [at, by, to] = [values, factors, sums].map(({ byteOffset }) => byteOffset);
          heap.exports.weightedRowSums(at, rows.length, weights.length, by, to);
          expect([...sums]).toEqual(weightedRowSumsReference(rows.flat(), weights));
        });
      }),
      SEED,
    );
  });
});

describe('the basis of the nodes', () => {
  it('adds up to one, and is exact at a node', () => {
    const nodes = nodesOver(16, 0.1, 8);
    const basis = new NodeBasis(nodes);
    const weights = new Float64Array(16);
    for (const s of [0.1, 0.3, 1, 7.9, 8]) {
      basis.write(s, weights, 0);
      expect(Math.abs(weights.reduce((a, b) => a + b, 0) - 1)).toBeLessThan(1e-14);
    }
    basis.write(nodes.sizeFactors[3], weights, 0);
    expect(weights[3]).toBeCloseTo(1, 12);
  });
});

describe('the vectorised log1p', () => {
  it('is within 2 ulp of Math.log1p from -1 to 1e12 and near zero', () => {
    const heap = KernelHeap.create();
    const points: number[] = [0, -0, 1, -0.5, 0.41421356, 0.4142136, -0.2928932, -0.29289322, 1e-300, -1e-300];
    for (let e = -40; e <= 12; e += 0.0625) points.push(10 ** e);
    for (let i = 1; i < 2000; i++) points.push(-i / 2001, i / 501, -(10 ** (-i / 130)), -1 + 10 ** (-i / 140));
    if (points.length % 2 === 1) points.push(2);
    const x = heap.copyF64(points.filter((point) => point > -1).slice(0, 2 * Math.floor(points.length / 2) - 2));
    const out = heap.f64(x.length + 1);
    heap.exports.log1pArray(x.byteOffset, out.byteOffset, x.length - (x.length % 2));
    let worst = 0;
    for (let i = 0; i < x.length - (x.length % 2); i++) {
      const exact = Math.log1p(x[i]);
      if (exact === 0) expect(out[i]).toBe(0);
      else worst = Math.max(worst, Math.abs(out[i] - exact) / (Math.abs(exact) * 2 ** -52));
    }
    expect(worst).toBeLessThanOrEqual(2);
  });
});

/** A group of measures from cells that follow no model: the fits must agree for any data. */
const arm = fc.record({ cells: screen(4), empty: fc.boolean() });
const dispersion = fc.oneof(
  fc.constant(0),
  fc.double({ min: -18, max: 8.5, noNaN: true }).map((x) => Math.exp(x)),
);

const measuresOf = (
  heap: KernelHeap,
  nodes: NodeSet,
  group: { cells: { s: number; counts: number[] }[]; empty: boolean },
) => {
  const cells = group.empty
    ? group.cells.map((cell) => ({ s: cell.s, counts: [0, 0, ...cell.counts.slice(2)] }))
    : group.cells;
  const accumulator = new MeasureAccumulator(heap, 4, nodes);
  accumulator.addRows(
    toRows(heap, cells),
    cells.map((cell) => cell.s),
  );
  return accumulator;
};

describe('fits from measures', () => {
  it('agree with bisection on the score, Firth estimates of empty groups included', () => {
    fc.assert(
      fc.property(arm, dispersion, (group, alpha) => {
        const heap = KernelHeap.create();
        const nodes = nodesOver(16, 0.2, 5);
        const measures = measuresOf(heap, nodes, group);
        const fits = fitIntercepts(
          heap,
          heap.copyF64(nodes.sizeFactors),
          measures,
          heap.copyF64([alpha, alpha, alpha, alpha]),
        );
        for (let gene = 0; gene < 4; gene++) {
          const twin = fitInterceptReference(geneOf(measures, gene), nodes.sizeFactors, alpha);
          expect(isConverged(fits.flags[gene])).toBe(true);
          expect(isEmptyArm(fits.flags[gene])).toBe(measures.sumCounts[gene] === 0);
          expect(Math.abs(fits.eta[gene] - twin.eta)).toBeLessThan(1e-10);
          expect(Math.abs(fits.mean[gene] / Math.exp(twin.eta) - 1)).toBeLessThan(1e-10);
          expect(Math.abs(fits.fisher[gene] / twin.fisher - 1)).toBeLessThan(1e-10);
          expect(Math.abs(fits.observed[gene] / twin.observed - 1)).toBeLessThan(1e-6);
        }
      }),
      SEED,
    );
  });

  it('and ratios are the same bits whichever gene lies beside a gene', () => {
    fc.assert(
      fc.property(arm, arm, dispersion, dispersion, (control, perturbation, alpha, other) => {
        const heap = KernelHeap.create();
        const nodes = nodesOver(16, 0.2, 5);
        const s = heap.copyF64(nodes.sizeFactors);
        const measured = [control, perturbation].map((group) => measuresOf(heap, nodes, group));
        /** Results of the genes in this order, each in its own place. */
        const inOrder = (genes: readonly number[]): number[][] => {
          const alphas = heap.copyF64(genes.map((gene) => (gene % 2 === 0 ? alpha : other)));
          const arms = measured.map((group) => {
            const S = Float64Array.from(genes.flatMap((gene) => [...(geneOf(group, gene).S as Float64Array)]));
            const sumCounts = Float64Array.from(genes, (gene) => group.sumCounts[gene]);
            const measures = loadMeasures(heap, { S, N: group.N, sumCounts, nCells: group.nCells });
            return { measures, fits: fitIntercepts(heap, s, measures, alphas) };
          });
          const { statistic } = likelihoodRatios(heap, s, alphas, arms[0], arms[1]);
          const { eta, mean, fisher, observed, iterations, flags } = arms[1].fits;
          const results: number[][] = [];
          for (const [at, gene] of genes.entries()) {
            results[gene] = [eta, mean, fisher, observed, iterations, flags, statistic].map((values) => values[at]);
          }
          return results;
        };
        const expected = inOrder([0, 1, 2, 3]);
        expect(inOrder([3, 1, 0, 2])).toEqual(expected);
        expect(inOrder([2, 3, 1, 0])).toEqual(expected);
      }),
      SEED,
    );
  });

  it('go to the fit with a bracket where a gene does not arrive, and say that it did not converge', () => {
    const heap = KernelHeap.create();
    const nodes = nodesOver(16, 0.2, 5);
    const cells = Array.from({ length: 40 }, (_, i) => ({
      s: 0.3 + i / 12,
      counts: [i % 3, 7 * (i % 5), 0, (i * i) % 90],
    }));
    const measures = measuresOf(heap, nodes, { cells, empty: false });
    const s = heap.copyF64(nodes.sizeFactors);
    const alphas = heap.copyF64([0.4, 0.05, 1, 30]);
    const usual = fitIntercepts(heap, s, measures, alphas);
    const [eta, mean, fisher, observed] = [0, 1, 2, 3].map(() => heap.f64(4));
    const [iterations, flags, scratch] = [heap.u8(4), heap.u8(4), heap.f64(4 * 16)];
    // No step is shorter than nothing: every gene is given up after the twelve steps of a pair and the sixty of a bracket.
    heap.exports.fitIntercepts(
      ...([4, 16, measures.S.byteOffset, measures.N.byteOffset, s.byteOffset, alphas.byteOffset] as const),
      ...([measures.sumCounts.byteOffset, 0, scratch.byteOffset, eta.byteOffset, mean.byteOffset] as const),
      ...([fisher.byteOffset, observed.byteOffset, iterations.byteOffset, flags.byteOffset] as const),
    );
    for (const gene of [0, 1, 3]) {
      expect(isConverged(flags[gene])).toBe(false);
      expect(iterations[gene]).toBe(72);
      expect(Math.abs(eta[gene] - usual.eta[gene])).toBeLessThan(1e-13);
      expect(Math.abs(mean[gene] / Math.exp(usual.eta[gene]) - 1)).toBeLessThan(1e-13);
      expect(Math.abs(fisher[gene] / usual.fisher[gene] - 1)).toBeLessThan(1e-12);
      expect(Math.abs(observed[gene] / usual.observed[gene] - 1)).toBeLessThan(1e-7);
    }
    expect(isEmptyArm(flags[2])).toBe(true);
  });

  it('give the likelihood ratio of the plain twin, empty arms included', () => {
    fc.assert(
      fc.property(arm, arm, dispersion, (control, perturbation, alpha) => {
        const heap = KernelHeap.create();
        const nodes = nodesOver(16, 0.2, 5);
        const s = heap.copyF64(nodes.sizeFactors);
        const alphas = heap.copyF64([alpha, alpha, alpha, alpha]);
        const arms = [control, perturbation].map((group) => {
          const measures = measuresOf(heap, nodes, group);
          return { measures, fits: fitIntercepts(heap, s, measures, alphas) };
        });
        const ratios = likelihoodRatios(heap, s, alphas, arms[0], arms[1]);
        for (let gene = 0; gene < 4; gene++) {
          const [a, b] = arms.map(({ measures }) => geneOf(measures, gene));
          const total = a.total + b.total;
          expect(ratios.pooledConverged[gene]).toBe(1);
          if (total === 0) expect(ratios.statistic[gene]).toBe(0);
          else {
            const twin = likelihoodRatioReference([a, b], nodes.sizeFactors, alpha);
            // The twin subtracts log-likelihoods of the size of total · log total.
            expect(Math.abs(ratios.statistic[gene] - twin)).toBeLessThan(1e-10 + 1e-12 * total + 1e-9 * Math.abs(twin));
          }
        }
      }),
      SEED,
    );
  });

  it('give the profile slopes of the plain twin, whatever the order of the groups', () => {
    fc.assert(
      fc.property(fc.array(arm, { minLength: 1, maxLength: 3 }), (groups) => {
        const heap = KernelHeap.create();
        const nodes = nodesOver(16, 0.2, 5);
        const logAlphas = [-18, -12, -7, -5, -3, -1.5, -0.5, 0.5, 2, 3.9, 6.2, 8.5];
        const quanta = [36, 35, 34, 33];
        const measures = groups.map((group) => measuresOf(heap, nodes, group));
        const profile = new DispersionProfile(heap, 4, nodes.sizeFactors, logAlphas, quanta);
        const backwards = new BigInt64Array(profile.sums.length);
        for (const group of measures) expect(profile.addGroup(group)).toBe(0);
        for (const group of [...measures].reverse()) {
          const one = new DispersionProfile(heap, 4, nodes.sizeFactors, logAlphas, quanta);
          one.addGroup(loadMeasures(heap, group));
          for (const [i, sum] of one.sums.entries()) backwards[i] += sum;
        }
        expect([...backwards]).toEqual([...profile.sums]);
        for (let gene = 0; gene < 4; gene++) {
          for (const [a, logAlpha] of logAlphas.entries()) {
            let twin = 0;
            let total = 0;
            for (const group of measures) {
              const one = geneOf(group, gene);
              total += one.total;
              if (one.total > 0) twin += profileSlopeReference(one, nodes.sizeFactors, Math.exp(logAlpha));
            }
            const sum = Number(profile.sums[gene * logAlphas.length + a]) / 2 ** quanta[gene];
            // The twin subtracts logarithms divided by α; the kernel's last step of η is at most 1e-5, and −½ log W does
            // not follow it.
            const cancelled = (1e-15 * total) / Math.exp(logAlpha);
            expect(Math.abs(sum - twin)).toBeLessThan(2e-6 + 1e-11 * total + cancelled);
          }
        }
      }),
      { ...SEED, numRuns: 25 },
    );
  });

  it('give slopes at small dispersions that follow from larger ones as if each were fitted by itself', () => {
    let isFollowed = false;
    fc.assert(
      fc.property(arm, (group) => {
        const heap = KernelHeap.create();
        const nodes = nodesOver(16, 0.2, 5);
        const measures = measuresOf(heap, nodes, group);
        const exposure = measures.N.reduce((sum, n, k) => sum + n * nodes.sizeFactors[k], 0);
        const logAlphas = Array.from({ length: 60 }, (_, a) => -20 + 0.4 * a);
        const quanta = [50, 50, 50, 50];
        const profile = new DispersionProfile(heap, 4, nodes.sizeFactors, logAlphas, quanta);
        expect(profile.addGroup(measures)).toBe(0);
        for (const [a, logAlpha] of logAlphas.entries()) {
          const alone = new DispersionProfile(heap, 4, nodes.sizeFactors, [logAlpha], quanta);
          expect(alone.addGroup(measures)).toBe(0);
          for (let gene = 0; gene < 4; gene++) {
            const rate = (Math.exp(logAlpha) * measures.sumCounts[gene] * 5) / exposure;
            if (rate > 0.2) continue;
            const [own, whole] = [alone.sums[gene], profile.sums[gene * 60 + a]].map((sum) => Number(sum) / 2 ** 50);
            isFollowed ||= own !== whole;
            // All of a slope falls with the rate; the last step of η is at most 1e-8, the series misses 2e-10.
            expect(Math.abs(own - whole)).toBeLessThan(2 ** -49 + 2e-8 * rate * (1 + measures.sumCounts[gene]));
          }
        }
      }),
      { ...SEED, numRuns: 25 },
    );
    // Not one of them would differ if each were fitted.
    expect(isFollowed).toBe(true);
  });
});
