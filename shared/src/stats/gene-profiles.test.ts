import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GeneProfiles, KernelHeap } from '../kernels/index.js';
import { CountHistogram, DENSE_COUNTS, type CountHistogramArrays } from './count-histogram.js';
import { createDispersionGrid, type DispersionGrid } from './dispersion-grid.js';
import { GeneProfile } from './gene-profile.reference.js';
import { LocalInterpolant } from './local-interpolant.reference.js';

/** Kernel and twin each know a maximum to 1e-9. */
const TOLERANCE = 2e-9;
const QUANTUM = 40;
const SEED = { seed: 20_261_201, numRuns: 400 };

const grids = {
  'the grid of every run': createDispersionGrid(),
  'an odd number of points': createDispersionGrid({
    low: 1e-6,
    high: 300,
    bend: 1e-4,
    evenness: 0.97,
    locality: 2,
    count: 37,
  }),
  'few points': createDispersionGrid({ low: 1e-3, high: 100, bend: 1e-3, evenness: 0.9, locality: 3, count: 7 }),
};
const gridNames = Object.keys(grids) as (keyof typeof grids)[];

/** Spread evenly, which fc.double is not: it favours numbers near 0. */
const between = (low: number, high: number): fc.Arbitrary<number> =>
  fc.integer({ min: 0, max: 1_000_000 }).map((n) => low + ((high - low) * n) / 1_000_000);

/** A slope made of what those of profiles are made of, functions α μ/(1 + α μ): as many ups and downs as parts. */
const parts = fc.array(fc.tuple(between(-50, 50), between(-9, 12)), { maxLength: 6 });
const slopesOf = (grid: DispersionGrid, ofParts: readonly (readonly [number, number])[]): Float64Array =>
  grid.logAlphas.map((x) => ofParts.reduce((sum, [size, logMu]) => sum + size / (1 + Math.exp(-logMu - x)), 0));

/** Counts of a gene, with how many cells have each: most of them small, some beyond those of the dense histogram. */
const counts = fc.array(
  fc.tuple(
    fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 80 }), fc.integer({ min: 64, max: 5000 })),
    fc.integer({ min: 1, max: 40 }),
  ),
  { maxLength: 5 },
);
/** Many counts bring one maximum, at the upper bound. */
const countsOrNone = fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: counts });

interface Gene {
  readonly slopes: Float64Array;
  readonly counts: readonly (readonly [count: number, cells: number])[];
  readonly hasCounts: boolean;
  readonly priorMean: number;
}

const histogramOf = (genes: readonly Gene[]): CountHistogramArrays => {
  const dense = new Uint32Array(genes.length * DENSE_COUNTS);
  const overflow: number[] = [];
  for (const [gene, { counts: ofGene }] of genes.entries()) {
    for (const [count, cells] of ofGene) {
      if (count <= DENSE_COUNTS) dense[gene * DENSE_COUNTS + count - 1] += cells;
      else overflow.push(gene, count, cells);
    }
  }
  return { nGenes: genes.length, dense, overflow: Uint32Array.from(overflow) };
};

/** Slopes and maxima without and with priors, of kernel and twin. */
function compare(grid: DispersionGrid, genes: readonly Gene[], variance = 1) {
  const heap = KernelHeap.create();
  const sums = BigInt64Array.from(
    genes.flatMap(({ slopes }) => Array.from(slopes, (slope) => BigInt(Math.round(slope * 2 ** QUANTUM)))),
  );
  // Through the map of large counts, which sorts and adds them up.
  const histogram = CountHistogram.fromArrays(histogramOf(genes));
  const profiles = new GeneProfiles(heap, grid, {
    sums,
    quantumExponents: genes.map(() => QUANTUM),
    totals: genes.map(({ hasCounts }) => (hasCounts ? 1 : 0)),
    ...histogram.toArrays(),
  });
  const alone = profiles.maximise();
  const means = Float64Array.from(genes, ({ priorMean }) => priorMean);
  const withPrior = profiles.maximise({ means, variance });
  const stride = profiles.slopes.length / genes.length;
  return genes.map((gene, i) => {
    const slopes = Float64Array.from(gene.slopes, (slope) => Math.round(slope * 2 ** QUANTUM) / 2 ** QUANTUM);
    const twin = new GeneProfile(grid, slopes, histogram, i);
    return {
      ...gene,
      kernel: {
        slopes: profiles.slopes.slice(i * stride, i * stride + grid.count),
        alone: alone[i],
        withPrior: withPrior[i],
      },
      // The twin adds the counts' part to the array it is given.
      twin: { slopes, alone: twin.maximise(), withPrior: twin.maximise({ mean: means[i], variance }) },
    };
  });
}

/** Whether a profile has several maxima, by its slopes at the points; and the point at or beyond the lowest. */
const maximaOf = (grid: DispersionGrid, slopes: Float64Array): { several: boolean; lowest: number } => {
  const places = Array.from(grid.logAlphas).filter((_, a) => a > 0 && slopes[a - 1] > 0 && slopes[a] <= 0);
  if (slopes[0] <= 0) places.unshift(grid.logMin);
  if (slopes[grid.count - 1] > 0) places.push(grid.logMax);
  return { several: places.length > 1, lowest: places[0] };
};

describe.each(gridNames)('profiles of all genes, with %s', (name) => {
  const grid = grids[name];

  it('have the twin’s slopes, and are highest where the twin is, alone and with a prior', () => {
    const seen = { low: 0, high: 0, inside: 0, lowestOfSeveral: 0, otherOfSeveral: 0, none: 0, large: 0 };
    const gene = fc
      .record({
        parts,
        counts: countsOrNone,
        hasCounts: fc.integer({ min: 0, max: 9 }).map((n) => n !== 0),
        priorMean: between(-12, 5),
      })
      .map(({ parts: ofGene, ...rest }): Gene => ({ slopes: slopesOf(grid, ofGene), ...rest }));
    fc.assert(
      fc.property(fc.array(gene, { minLength: 1, maxLength: 6 }), between(0.25, 20), (genes, variance) => {
        for (const { kernel, twin, hasCounts, counts: ofGene } of compare(grid, genes, variance)) {
          if (!hasCounts) {
            seen.none++;
            expect(kernel.alone).toBeNaN();
            expect(kernel.withPrior).toBeNaN();
            continue;
          }
          const scale = ofGene.reduce((sum, [count, cells]) => sum + count * cells, 300);
          for (let a = 0; a < grid.count; a++) {
            expect(Math.abs(kernel.slopes[a] - twin.slopes[a])).toBeLessThan(1e-14 * scale);
          }
          expect(Math.abs(kernel.alone - twin.alone)).toBeLessThanOrEqual(TOLERANCE);
          expect(Math.abs(kernel.withPrior - twin.withPrior)).toBeLessThanOrEqual(TOLERANCE);
          if (twin.alone === grid.logMin) seen.low++;
          else if (twin.alone === grid.logMax) seen.high++;
          else seen.inside++;
          const { several, lowest } = maximaOf(grid, twin.slopes);
          if (several) seen[twin.alone <= lowest ? 'lowestOfSeveral' : 'otherOfSeveral']++;
          if (ofGene.some(([count]) => count > DENSE_COUNTS)) seen.large++;
        }
      }),
      SEED,
    );
    for (const n of Object.values(seen)) expect(n).toBeGreaterThan(30);
  });

  it('are highest at the lower bound where they are flat', () => {
    const priorMean = -2;
    const [flat] = compare(grid, [{ slopes: new Float64Array(grid.count), counts: [], hasCounts: true, priorMean }]);
    expect(flat.kernel.alone).toBe(grid.logMin);
    expect(flat.kernel.alone).toBe(flat.twin.alone);
    expect(Math.abs(flat.kernel.withPrior - priorMean)).toBeLessThanOrEqual(TOLERANCE);
  });

  it('are highest at a point of the grid whose slope is 0', () => {
    const genes = Array.from(grid.logAlphas, (top) => ({
      slopes: grid.logAlphas.map((x) => Math.sign(top - x) * Math.min(1, Math.abs(top - x))),
      counts: [],
      hasCounts: true,
      priorMean: 0,
    }));
    for (const [a, { kernel, twin }] of compare(grid, genes).entries()) {
      expect(Math.abs(kernel.alone - grid.logAlphas[a])).toBeLessThanOrEqual(TOLERANCE);
      expect(Math.abs(twin.alone - grid.logAlphas[a])).toBeLessThanOrEqual(TOLERANCE);
    }
  });
});

describe('a profile with two maxima', () => {
  const grid = grids['the grid of every run'];
  /** Up from α = e^-6 on, down from e^-3 on, up again from e^2 on: the steeper there, the higher at the upper bound. */
  const geneOf = (steepness: number): Gene => ({
    slopes: slopesOf(grid, [
      [10, 6],
      [-20, 3],
      [10 + steepness, -2],
    ]),
    counts: [],
    hasCounts: true,
    priorMean: 0,
  });

  it('is highest where the twin is, however little tells the two apart', () => {
    let [low, high] = [0.1, 10];
    for (let i = 0; i < 30; i++) {
      const middle = (low + high) / 2;
      const [{ twin }] = compare(grid, [geneOf(middle)]);
      if (twin.alone === grid.logMax) high = middle;
      else low = middle;
    }
    const [lower, upper] = compare(grid, [geneOf(low * (1 - 1e-7)), geneOf(high * (1 + 1e-7))]);
    expect(lower.twin.alone).toBeLessThan(0);
    expect(Math.abs(lower.kernel.alone - lower.twin.alone)).toBeLessThanOrEqual(TOLERANCE);
    expect(upper.twin.alone).toBe(grid.logMax);
    expect(upper.kernel.alone).toBe(grid.logMax);
  });
});

it('a profile has the slope of a point at a bound that lies on it to the last bit', () => {
  const grid = grids['an odd number of points'];
  const nodes = grid.nodes.slice();
  nodes[(grid.count - 1) / 2] = 0;
  // y at the bend is log α₀ + log 2, and z is 0 where that is the middle.
  const bounded = grid.bounded.slice();
  bounded[0] = grid.logBend;
  const middle = grid.logBend + Math.LN2;
  const onNode = { ...grid, nodes, bounded, middle, bellAbout: (x: number) => grid.bellAbout(x) };
  const [sums, one] = [new BigInt64Array(grid.count).fill(-1n), [1]];
  const empty = new CountHistogram(1).toArrays();
  const profiles = new GeneProfiles(KernelHeap.create(), onNode, {
    sums,
    quantumExponents: one,
    totals: one,
    ...empty,
  });
  expect(profiles.maximise()[0]).toBe(bounded[0]);
});

it('an interpolant has the value of a point at that point, also where its place is the node’s to the last bit', () => {
  const grid = createDispersionGrid();
  const values = grid.logAlphas.map((x) => Math.sin(x));
  const atNodes = grid.logAlphas.filter((x, a) => grid.position(grid.bent(x)) === grid.nodes[a]);
  expect(atNodes.length).toBeGreaterThan(0);
  for (const [a, x] of grid.logAlphas.entries()) {
    expect(new LocalInterpolant(grid, values, x).at(x)).toBeCloseTo(values[a], 11);
  }
});
