import fc from 'fast-check';
import { Matrix, QrDecomposition } from 'ml-matrix';
import { expect, it } from 'vitest';
import { FlatMatrix } from './flat-matrix.js';

const numbers = fc.double({ min: -1e3, max: 1e3, noNaN: true });

it('gives least squares the bits that the library’s own matrix gives them, and keeps its numbers', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(numbers, numbers, numbers), { minLength: 2, maxLength: 30 }), (rows) => {
      const design = rows.map(([a, b]) => [a, b]);
      const response = rows.map(([, , y]) => [y]);
      const [flatDesign, flatResponse] = [design, response].map(
        (values) => new FlatMatrix(Float64Array.from(values.flat()), rows.length),
      );
      const [qr, flatQr] = [new QrDecomposition(new Matrix(design)), new QrDecomposition(flatDesign)];
      expect(flatQr.isFullRank()).toBe(qr.isFullRank());
      if (qr.isFullRank()) {
        const solution = flatQr.solve(flatResponse as unknown as Matrix);
        expect(solution.to2DArray()).toEqual(qr.solve(new Matrix(response)).to2DArray());
      }
      expect(flatDesign.to2DArray()).toEqual(design);
      expect(flatResponse.to2DArray()).toEqual(response);
    }),
    { seed: 20_261_201, numRuns: 200 },
  );
});
