import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { KernelHeap } from './kernel-heap.js';
import { rankSumAgainstControl, type RankSumOptions } from './rank-sum.js';
import { rankSumReference } from './rank-sum.reference.js';
import { sortColumns, tieTerms } from './sort-columns.js';

let heap: KernelHeap;
beforeAll(() => {
  heap = KernelHeap.create(64 * 2 ** 20);
});

/** values[gene] of one arm, one number a cell. */
type Arm = readonly (readonly number[])[];

const nonzeros = (values: readonly number[]): number[] => values.filter((value) => value !== 0);
const offsetsOf = (segments: readonly (readonly number[])[]): number[] => {
  const offsets = [0];
  for (const segment of segments) offsets.push(offsets[offsets.length - 1] + segment.length);
  return offsets;
};

/** Runs the kernel on dense arms: control[gene][cell] and groups[group][gene][cell]. */
const runKernel = (control: Arm, groups: readonly Arm[], options: RankSumOptions) =>
  heap.scoped(() => {
    const controlSegments = control.map(nonzeros);
    const keys = heap.copyF64(controlSegments.flat());
    const offsets = heap.copyU32(offsetsOf(controlSegments));
    const ties = heap.f64(control.length);
    sortColumns(heap, keys, offsets);
    tieTerms(heap, keys, offsets, ties);
    const groupSegments = groups.flatMap((arm) => arm.map(nonzeros));
    const { u, z, tieSums } = rankSumAgainstControl(
      heap,
      { keys, offsets, ties, nCells: control[0]?.length ?? 0 },
      {
        keys: heap.copyF64(groupSegments.flat()),
        offsets: heap.copyU32(offsetsOf(groupSegments)),
        sizes: groups.map((arm) => arm[0]?.length ?? 0),
      },
      options,
    );
    return { u: [...u], z: [...z], tieSums: [...tieSums] };
  });

// Few different values make ties within an arm, across arms and with zero; the doubles make none.
const value = fc.oneof(
  { weight: 3, arbitrary: fc.constant(0) },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 4 }) },
  { weight: 2, arbitrary: fc.double({ min: 1e-6, max: 20, noNaN: true }) },
);
const arm = (nGenes: number, maxCells: number): fc.Arbitrary<Arm> =>
  fc
    .integer({ min: 1, max: maxCells })
    .chain((cells) =>
      fc.array(fc.array(value, { minLength: cells, maxLength: cells }), { minLength: nGenes, maxLength: nGenes }),
    );
const screen = fc
  .integer({ min: 1, max: 4 })
  .chain((nGenes) => fc.tuple(arm(nGenes, 60), fc.array(arm(nGenes, 12), { minLength: 1, maxLength: 4 })));

describe('rank sums against a control', () => {
  it('equal midranks of the pooled cells for any values, ties and group sizes', () => {
    fc.assert(
      fc.property(screen, fc.boolean(), fc.boolean(), ([control, groups], tieCorrect, continuity) => {
        const options = { tieCorrect, continuity };
        const actual = runKernel(control, groups, options);
        const expected = groups.flatMap((group) =>
          group.map((perturbed, gene) => rankSumReference(perturbed, control[gene], options)),
        );
        expected.forEach(({ u, z, tieSum }, i) => {
          expect(actual.u[i]).toBe(u);
          expect(actual.tieSums[i]).toBe(tieSum);
          expect(Math.abs(actual.z[i] - z)).toBeLessThanOrEqual(1e-12 * (1 + Math.abs(z)));
        });
      }),
      { seed: 21, numRuns: 400 },
    );
  });

  it('equal midranks when the control is much larger than the group, where keys are looked up', () => {
    const random = sequence(5);
    const draw = (cells: number, density: number): number[] =>
      Array.from({ length: cells }, () =>
        random() > density ? 0 : Math.ceil(random() * 40) / (1 + Math.floor(random() * 9)),
      );
    const armOf = (cells: number): Arm => [draw(cells, 0.9), draw(cells, 0.2)];
    const control = armOf(3000);
    const groups = [armOf(30), armOf(7), armOf(900)];
    const options = { tieCorrect: true, continuity: false };
    const actual = runKernel(control, groups, options);
    const expected = groups.flatMap((group) =>
      group.map((cells, gene) => rankSumReference(cells, control[gene], options)),
    );
    expect(actual.u).toEqual(expected.map(({ u }) => u));
    expect(actual.tieSums).toEqual(expected.map(({ tieSum }) => tieSum));
    actual.z.forEach((z, i) => expect(z).toBeCloseTo(expected[i].z, 11));
  });

  it('change sign and mirror U when the arms change places', () => {
    fc.assert(
      fc.property(arm(1, 20), arm(1, 20), fc.boolean(), (a, b, continuity) => {
        const options = { tieCorrect: true, continuity };
        const forward = runKernel(a, [b], options);
        const backward = runKernel(b, [a], options);
        expect(forward.u[0] + backward.u[0]).toBe(a[0].length * b[0].length);
        expect(forward.z[0] + backward.z[0]).toBeCloseTo(0, 12);
      }),
      { seed: 22, numRuns: 200 },
    );
  });

  it('are positive where the perturbed arm is the larger', () => {
    const { u, z } = runKernel([[0, 0, 1]], [[[2, 3]]], { tieCorrect: true, continuity: false });
    expect(u).toEqual([6]);
    expect(z[0]).toBeGreaterThan(0);
  });

  it('are 0 with U at its mean where every cell has the same value', () => {
    const options = { tieCorrect: true, continuity: false };
    expect(runKernel([[0, 0, 0]], [[[0, 0]]], options)).toEqual({ u: [3], z: [0], tieSums: [120] });
    expect(runKernel([[0.7, 0.7, 0.7]], [[[0.7, 0.7]]], options)).toEqual({ u: [3], z: [0], tieSums: [120] });
  });

  it('recognise one block of ties among 300,000 equal nonzeros, whose cube is not exact', () => {
    const { z } = runKernel([new Array<number>(299_990).fill(1.5)], [[new Array<number>(10).fill(1.5)]], {
      tieCorrect: true,
      continuity: false,
    });
    expect(z).toEqual([0]);
  });
});

/** A small multiplicative generator (Lehmer), so that the test repeats. */
function sequence(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}
