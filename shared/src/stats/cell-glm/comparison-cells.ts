import type { ComparisonDesign } from './comparison-design.js';

/** One gene's counts over the cells of a comparison, zeros left out, by place; valid until the next gene is placed. */
export interface PlacedCounts {
  /** Number of nonzeros; the arrays may be longer. */
  length: number;
  readonly places: Uint32Array;
  /** Row of the design at each place. */
  readonly rows: Uint32Array;
  readonly counts: Float64Array;
}

/**
 * The cells of a comparison, put in order of their row of the design and, within a row, of their size factor.
 *
 * In that order the cells of a row whose means s e^η lie below a bound are the first ones, found by bisection.
 */
export class ComparisonCells {
  /** Size factor at each place. */
  readonly sizeFactors: Float64Array;
  /** Σ log s of the places before, nCells + 1. */
  readonly logSums: Float64Array;
  /** First place of each row, and the end: nRows + 1. */
  readonly rowBegin: Uint32Array;
  /** Σ s of each row. */
  readonly exposures: Float64Array;
  /** Mean of 1/s. */
  readonly meanInverseSizeFactor: number;
  private readonly placeOf: Uint32Array;
  private readonly placed: PlacedCounts;

  /** @param sizeFactors - of each cell, positive and finite */
  constructor(
    readonly design: ComparisonDesign,
    sizeFactors: ArrayLike<number>,
  ) {
    const { nCells, nRows, rowOf } = design;
    const order = Uint32Array.from({ length: nCells }, (_, cell) => cell).sort(
      (a, b) => rowOf[a] - rowOf[b] || sizeFactors[a] - sizeFactors[b] || a - b,
    );
    this.placeOf = new Uint32Array(nCells);
    this.sizeFactors = new Float64Array(nCells);
    this.logSums = new Float64Array(nCells + 1);
    this.rowBegin = new Uint32Array(nRows + 1);
    this.exposures = new Float64Array(nRows);
    let inverses = 0;
    order.forEach((cell, place) => {
      const s = sizeFactors[cell];
      this.placeOf[cell] = place;
      this.sizeFactors[place] = s;
      this.logSums[place + 1] = this.logSums[place] + Math.log(s);
      this.rowBegin[rowOf[cell] + 1] = place + 1;
      this.exposures[rowOf[cell]] += s;
      inverses += 1 / s;
    });
    this.meanInverseSizeFactor = inverses / nCells;
    this.placed = {
      length: 0,
      places: new Uint32Array(nCells),
      rows: new Uint32Array(nCells),
      counts: new Float64Array(nCells),
    };
  }

  /** Number of cells of a row. */
  cellsOf(row: number): number {
    return this.rowBegin[row + 1] - this.rowBegin[row];
  }

  /** Puts the counts [begin, end) of a gene in place. @param cells - cells with a count, each once */
  place(cells: ArrayLike<number>, counts: ArrayLike<number>, begin = 0, end = cells.length): PlacedCounts {
    const { placed, placeOf } = this;
    const { rowOf } = this.design;
    placed.length = end - begin;
    for (let i = begin, k = 0; i < end; i++, k++) {
      placed.places[k] = placeOf[cells[i]];
      placed.rows[k] = rowOf[cells[i]];
      placed.counts[k] = counts[i];
    }
    return placed;
  }

  /** Mean of y/s over all cells. */
  meanNormalised({ length, places, counts }: PlacedCounts): number {
    let sum = 0;
    for (let k = 0; k < length; k++) sum += counts[k] / this.sizeFactors[places[k]];
    return sum / this.design.nCells;
  }

  /** First place of a row with s · scale ≥ bound: the cells before have smaller means. */
  firstAbove(row: number, scale: number, bound: number): number {
    let low = this.rowBegin[row];
    let high = this.rowBegin[row + 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.sizeFactors[middle] * scale < bound) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
