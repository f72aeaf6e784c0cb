import fc from 'fast-check';
import { Matrix, QrDecomposition } from 'ml-matrix';
import { describe, expect, it } from 'vitest';
import { weightedLine } from './weighted-line.js';

const solveByLibrary = (x: number[], y: number[], weights: number[]): readonly [number, number] | null => {
  const rows = (of: (i: number) => number[]): Matrix => new Matrix(x.map((_, i) => of(i)));
  const decomposition = new QrDecomposition(rows((i) => [weights[i], weights[i] * x[i]]));
  if (!decomposition.isFullRank()) return null;
  const solution = decomposition.solve(rows((i) => [weights[i] * y[i]]));
  return [solution.get(0, 0), solution.get(1, 0)];
};

describe('weightedLine', () => {
  it('is what ml-matrix makes of it, bit for bit', () => {
    const number = fc.double({ min: -1e6, max: 1e6, noNaN: true });
    const points = fc.array(fc.tuple(number, number, number), { minLength: 2, maxLength: 50 });
    fc.assert(
      fc.property(points, (drawn) => {
        const [x, y, weights] = [0, 1, 2].map((part) => drawn.map((point) => point[part]));
        expect(weightedLine(x, y, weights)).toEqual(solveByLibrary(x, y, weights));
      }),
    );
  });

  it('finds the line that points lie on', () => {
    const [a0, a1] = weightedLine([1, 2, 4], [5, 7, 11], [1, 0.5, 3]) ?? [];
    expect(a0).toBeCloseTo(3, 12);
    expect(a1).toBeCloseTo(2, 12);
  });

  it('has no line for one point, or for weights of zero', () => {
    expect(weightedLine([1], [1], [1])).toBeNull();
    expect(weightedLine([1, 2], [1, 2], [0, 0])).toBeNull();
  });
});
