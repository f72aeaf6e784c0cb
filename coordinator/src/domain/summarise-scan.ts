import { InvalidInputError } from '@shardex/shared/errors';

/** Groups with at least `minCells` kept cells remain; the control always does. */
export function keptGroups(groupCells: Uint32Array, minCells: number): Uint8Array {
  return Uint8Array.from(groupCells, (cells, group) => (group === 0 || cells >= Math.max(1, minCells) ? 1 : 0));
}

/**
 * Size factor of each cell: its total, or the given value, divided by the geometric mean over the kept cells.
 *
 * s_i = v_i / exp(mean_k log v_k); NaN for cells that were not kept. Logarithms are summed in file order.
 *
 * @throws InvalidInputError for a kept cell whose value is not a positive finite number
 */
export function sizeFactors(values: Float64Array, kept: Uint8Array, source: string): Float64Array {
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
  const geometricMean = Math.exp(sumLog / n);
  return values.map((value, cell) => (kept[cell] === 0 ? NaN : value / geometricMean));
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
