import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LogCountSums, logReferenceProfile, MedianOfRatios, type RatioReference } from './median-of-ratios.js';

/** Counts of cells × genes; every cell has one. */
const screens = fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 12 })).chain(([genes, cells]) =>
  fc.array(
    fc
      .array(fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 2 ** 32 - 1 })), {
        minLength: genes,
        maxLength: genes,
      })
      .filter((row) => row.some((count) => count > 0)),
    { minLength: cells, maxLength: cells },
  ),
);
const methods = fc.constantFrom<RatioReference>('sparse', 'ratio', 'poscounts');

const nonzerosOf = (row: readonly number[]): { genes: number[]; counts: number[] } => {
  const genes = row.flatMap((count, gene) => (count > 0 ? [gene] : []));
  return { genes, counts: genes.map((gene) => row[gene]) };
};

const factorsOf = (method: RatioReference, rows: readonly (readonly number[])[]): number[] => {
  const nGenes = rows[0].length;
  const sums = new LogCountSums(rows.length, new Float64Array(nGenes));
  for (const row of rows) {
    const { genes, counts } = nonzerosOf(row);
    sums.add(genes, counts, 0, genes.length);
  }
  const geneCells = Array.from({ length: nGenes }, (_, gene) => rows.filter((row) => row[gene] > 0).length);
  const ratios = new MedianOfRatios(method, logReferenceProfile(method, sums, geneCells, rows.length));
  return rows.map((row) => {
    const { genes, counts } = nonzerosOf(row);
    return ratios.of(genes, counts, 0, genes.length);
  });
};

/** The definitions, by sorting. */
const plainFactorsOf = (method: RatioReference, rows: readonly (readonly number[])[]): number[] => {
  const mean = (values: readonly number[]): number => values.reduce((sum, v) => sum + v, 0) / values.length;
  const reference = rows[0].map((_, gene) => {
    const logs = rows.map((row) => (row[gene] > 0 ? Math.log(row[gene]) : 0));
    const expressing = rows.filter((row) => row[gene] > 0);
    if (expressing.length === 0 || (method === 'ratio' && expressing.length < rows.length)) return NaN;
    return method === 'sparse' ? mean(expressing.map((row) => Math.log(row[gene]))) : mean(logs);
  });
  return rows.map((row) => {
    const logs = row
      .flatMap((count, gene) => (count > 0 ? [Math.log(count) - reference[gene]] : []))
      .filter((log) => !Number.isNaN(log));
    const values = (method === 'sparse' ? logs.map(Math.exp) : logs).sort((a, b) => a - b);
    if (values.length === 0) return NaN;
    const middle = mean([values[(values.length - 1) >> 1], values[values.length >> 1]]);
    return method === 'sparse' ? middle : Math.exp(middle);
  });
};

describe('the median of ratios', () => {
  it('is what its definition says, for every method', () => {
    fc.assert(
      fc.property(screens, methods, (rows, method) => {
        const plain = plainFactorsOf(method, rows);
        factorsOf(method, rows).forEach((factor, cell) => {
          if (Number.isNaN(plain[cell])) expect(factor).toBeNaN();
          else expect(Math.abs(factor / plain[cell] - 1)).toBeLessThan(1e-9);
        });
      }),
      { seed: 5, numRuns: 400 },
    );
  });

  it('rests on sums with the same bits in any order and grouping, and after taking cells out', () => {
    fc.assert(
      fc.property(screens, fc.nat(12), (rows, at) => {
        const nGenes = rows[0].length;
        const sumOf = (part: readonly (readonly number[])[]): LogCountSums => {
          const sums = new LogCountSums(rows.length, new Float64Array(nGenes));
          for (const row of part) {
            const { genes, counts } = nonzerosOf(row);
            sums.add(genes, counts, 0, genes.length);
          }
          return sums;
        };
        const whole = sumOf(rows).sums;
        expect(sumOf([...rows].reverse()).sums).toEqual(whole);
        const [first, second] = [sumOf(rows.slice(0, at)), sumOf(rows.slice(at))];
        expect(first.sums.map((sum, gene) => sum + second.sums[gene])).toEqual(whole);
        const rest = sumOf(rows);
        for (const row of rows.slice(at)) {
          const { genes, counts } = nonzerosOf(row);
          rest.subtract(genes, counts, 0, genes.length);
        }
        expect(rest.sums).toEqual(first.sums);
      }),
      { seed: 6, numRuns: 200 },
    );
  });

  it('has sums that stay exact for two billion cells of the largest counts', () => {
    const sums = new LogCountSums(2 ** 31, new Float64Array(1));
    sums.add([0], [2 ** 32 - 1], 0, 1);
    expect(sums.sums[0] * 2 ** 31).toBeLessThan(2 ** 53);
    expect(Math.abs(sums.of(0) / Math.log(2 ** 32 - 1) - 1)).toBeLessThan(1e-5);
  });

  it('is scaled with the cell: twice the counts of a cell are twice its ratio to the same profile', () => {
    const ratios = new MedianOfRatios('ratio', Float64Array.of(0, 1, NaN, 2));
    const [once, twice] = [
      [3, 5, 100, 9],
      [6, 10, 1, 18],
    ].map((counts) => ratios.of([0, 1, 2, 3], counts, 0, 4));
    expect(twice / once).toBeCloseTo(2, 14);
  });
});
