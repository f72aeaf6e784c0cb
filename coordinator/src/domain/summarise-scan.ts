import { InvalidInputError } from '@shardex/shared/errors';

/** Groups with at least `minCells` kept cells remain; the control does with any. */
export function keptGroups(groupCells: Uint32Array, minCells: number): Uint8Array {
  return Uint8Array.from(groupCells, (cells, group) => (cells >= (group === 0 ? 1 : Math.max(1, minCells)) ? 1 : 0));
}

/** Arithmetic mean of the kept cells' totals. Totals are whole numbers, so their order does not matter. */
export function meanOfTotals(totals: Float64Array, kept: Uint8Array): number {
  let sum = 0;
  let n = 0;
  for (let cell = 0; cell < totals.length; cell++) {
    if (kept[cell] === 0) continue;
    sum += totals[cell];
    n++;
  }
  return sum / n;
}

/**
 * Size factor of each cell: its value over a scale; NaN for cells that were not kept.
 *
 * @param scale - what to divide by, or the geometric mean of the kept cells' values, exp(mean_k log v_k), the logarithms
 *   summed in file order
 * @throws InvalidInputError for a kept cell whose value is not a positive finite number
 */
export function sizeFactors(
  values: Float64Array,
  kept: Uint8Array,
  source: string,
  scale: number | 'geometric-mean',
): Float64Array {
  let sumLog = 0;
  let n = 0;
  for (let cell = 0; cell < values.length; cell++) {
    if (kept[cell] === 0) continue;
    const value = values[cell];
    if (!(value > 0 && value < Infinity)) {
      throw new InvalidInputError(`${source} of cell ${cell + 1} is ${value}, and a size factor has to be positive`, {
        hint: 'repair that column or choose --size-factors total',
        details: { cell },
      });
    }
    sumLog += Math.log(value);
    n++;
  }
  const divisor = scale === 'geometric-mean' ? Math.exp(sumLog / n) : scale;
  return values.map((value, cell) => (kept[cell] === 0 ? NaN : value / divisor));
}

/** Smallest and largest of the finite values. */
export function finiteRange(values: Float64Array): { min: number; max: number } {
  let min = Infinity;
  let max = -Infinity;
  for (const value of values) {
    if (Number.isNaN(value)) continue;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return { min, max };
}
