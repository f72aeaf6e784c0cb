import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { KernelHeap } from './kernel-heap.js';
import { rankSumAgainstControl, type RankSumOptions } from './rank-sum.js';
import { rankSumAgainstRest, sortGroupedColumns } from './rank-sum-rest.js';
import { rankSumRestReference } from './rank-sum-rest.reference.js';
import { sortColumns, tieTerms } from './sort-columns.js';

let heap: KernelHeap;
beforeAll(() => {
  heap = KernelHeap.create(64 * 2 ** 20);
});

/** values[gene][cell] and the group of each cell. */
interface Screen {
  readonly values: readonly (readonly number[])[];
  readonly groups: readonly number[];
  readonly nGroups: number;
}

const nonzeroCells = (column: readonly number[]): number[] =>
  column.flatMap((value, cell) => (value === 0 ? [] : [cell]));

const offsetsOf = (lengths: readonly number[]): number[] => {
  const offsets = [0];
  for (const length of lengths) offsets.push(offsets[offsets.length - 1] + length);
  return offsets;
};

const loadColumns = ({ values, groups }: Screen) => {
  const cells = values.map(nonzeroCells);
  return {
    keys: heap.copyF64(cells.flatMap((own, gene) => own.map((cell) => values[gene][cell]))),
    groups: heap.copyU32(cells.flatMap((own) => own.map((cell) => groups[cell]))),
    offsets: heap.copyU32(offsetsOf(cells.map((own) => own.length))),
  };
};

const sizesOf = ({ groups, nGroups }: Screen): number[] =>
  Array.from({ length: nGroups }, (_, group) => groups.filter((own) => own === group).length);

const runKernel = (screen: Screen, options: RankSumOptions) =>
  heap.scoped(() => {
    const columns = loadColumns(screen);
    sortGroupedColumns(heap, columns);
    const { u, z, tieSums } = rankSumAgainstRest(heap, columns, sizesOf(screen), options);
    return { u: [...u], z: [...z], tieSums: [...tieSums] };
  });

const value = fc.oneof(
  { weight: 3, arbitrary: fc.constant(0) },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 4 }) },
  { weight: 2, arbitrary: fc.double({ min: 1e-6, max: 20, noNaN: true }) },
);
const screens: fc.Arbitrary<Screen> = fc
  .record({
    nGroups: fc.integer({ min: 2, max: 6 }),
    nGenes: fc.integer({ min: 1, max: 4 }),
    more: fc.integer({ min: 0, max: 50 }),
  })
  .chain(({ nGroups, nGenes, more }) => {
    const nCells = nGroups + more;
    const group = fc.integer({ min: 0, max: nGroups - 1 });
    return fc.record({
      nGroups: fc.constant(nGroups),
      // Every group has a cell.
      groups: fc.array(group, { minLength: more, maxLength: more }).map((rest) => [...Array(nGroups).keys(), ...rest]),
      values: fc.array(fc.array(value, { minLength: nCells, maxLength: nCells }), {
        minLength: nGenes,
        maxLength: nGenes,
      }),
    });
  });

/** A small multiplicative generator (Lehmer), so that the test repeats. */
function sequence(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}

const drawScreen = (seed: number, nCells: number, nGroups: number, nGenes: number): Screen => {
  const random = sequence(seed);
  const groups = Array.from({ length: nCells }, (_, cell) =>
    cell < nGroups ? cell : Math.floor(random() ** 2 * nGroups),
  );
  const values = Array.from({ length: nGenes }, (_, gene) => {
    const density = (gene + 1) / nGenes;
    return groups.map(() => (random() > density ? 0 : Math.ceil(random() * 30) / (1 + Math.floor(random() * 200))));
  });
  return { values, groups, nGroups };
};

const expectTwin = (screen: Screen, options: RankSumOptions): void => {
  const actual = runKernel(screen, options);
  const nGenes = screen.values.length;
  screen.values.forEach((column, gene) => {
    rankSumRestReference(column, screen.groups, screen.nGroups, options).forEach(({ u, z, tieSum }, group) => {
      const at = group * nGenes + gene;
      expect(actual.u[at]).toBe(u);
      expect(actual.tieSums[at]).toBe(tieSum);
      expect(Math.abs(actual.z[at] - z)).toBeLessThanOrEqual(1e-12 * (1 + Math.abs(z)));
    });
  });
};

describe('rank sums against the rest', () => {
  it('equal midranks of each group among all cells for any values, ties and group sizes', () => {
    fc.assert(
      fc.property(screens, fc.boolean(), fc.boolean(), (screen, tieCorrect, continuity) =>
        expectTwin(screen, { tieCorrect, continuity }),
      ),
      { seed: 31, numRuns: 300 },
    );
  });

  it('equal midranks on columns long enough for merging and for the radix sort', () => {
    expectTwin(drawScreen(7, 600, 9, 3), { tieCorrect: true, continuity: false });
    expectTwin(drawScreen(8, 4000, 5, 2), { tieCorrect: true, continuity: true });
  });

  it('do not depend on the order of the cells', () => {
    const screen = drawScreen(9, 1500, 7, 2);
    const reversed = {
      ...screen,
      groups: [...screen.groups].reverse(),
      values: screen.values.map((column) => [...column].reverse()),
    };
    const options = { tieCorrect: true, continuity: false };
    expect(runKernel(reversed, options)).toEqual(runKernel(screen, options));
  });

  it('are those against a control when there are two groups', () => {
    const screen = drawScreen(10, 300, 2, 3);
    const options = { tieCorrect: true, continuity: true };
    const rest = runKernel(screen, options);
    heap.scoped(() => {
      const segment = (group: number): number[][] =>
        screen.values.map((column) => column.filter((x, cell) => x !== 0 && screen.groups[cell] === group));
      const [control, group] = [segment(1), segment(0)];
      const keys = heap.copyF64(control.flat());
      const offsets = heap.copyU32(offsetsOf(control.map((own) => own.length)));
      const ties = heap.f64(3);
      sortColumns(heap, keys, offsets);
      tieTerms(heap, keys, offsets, ties);
      const [n, nCells] = sizesOf(screen);
      const against = rankSumAgainstControl(
        heap,
        { keys, offsets, ties, nCells },
        {
          keys: heap.copyF64(group.flat()),
          offsets: heap.copyU32(offsetsOf(group.map((own) => own.length))),
          sizes: [n],
        },
        options,
      );
      expect(rest.u.slice(0, 3)).toEqual([...against.u]);
      expect(rest.tieSums.slice(0, 3)).toEqual([...against.tieSums]);
      against.z.forEach((z, gene) => expect(rest.z[gene]).toBeCloseTo(z, 13));
    });
  });

  it('are NaN for a group that no cell belongs to and for one that all cells belong to', () => {
    const options = { tieCorrect: true, continuity: false };
    expect(runKernel({ values: [[0, 1, 2]], groups: [0, 0, 0], nGroups: 2 }, options).z).toEqual([NaN, NaN]);
  });

  it('are 0 where every cell has the same value', () => {
    const options = { tieCorrect: true, continuity: false };
    const all = (x: number) => runKernel({ values: [[x, x, x, x]], groups: [0, 0, 1, 1], nGroups: 2 }, options);
    expect(all(0)).toEqual({ u: [2, 2], z: [0, 0], tieSums: [60, 60] });
    expect(all(0.7)).toEqual({ u: [2, 2], z: [0, 0], tieSums: [60, 60] });
  });
});
