import { LogCountSums, logReferenceProfile, MedianOfRatios, type RatioReference } from '../median-of-ratios.js';

/** The counts of cells, row by row. */
export interface CountRows {
  readonly nRows: number;
  readonly indptr: ArrayLike<number>;
  readonly indices: ArrayLike<number>;
  readonly counts: ArrayLike<number>;
}

/**
 * What the size factors by medians of ratios of a comparison need of one arm: Σ log y and expressing cells per gene. Whole
 * numbers, so that sums of arms do not depend on the order of cells.
 */
export class ArmLogCounts {
  readonly sums: Float64Array;
  readonly expressing: Uint32Array;
  nCells = 0;
  private readonly logs: LogCountSums;

  /** @param maxCells - cells of the whole screen */
  constructor(
    nGenes: number,
    private readonly maxCells: number,
  ) {
    this.sums = new Float64Array(nGenes);
    this.expressing = new Uint32Array(nGenes);
    this.logs = new LogCountSums(maxCells, this.sums);
  }

  /** Adds the cells of a block. */
  addRows({ nRows, indptr, indices, counts }: CountRows): void {
    this.logs.add(indices, counts, indptr[0], indptr[nRows]);
    for (let i = indptr[0]; i < indptr[nRows]; i++) this.expressing[indices[i]]++;
    this.nCells += nRows;
  }

  /** Both arms together. */
  with(other: ArmLogCounts): ArmLogCounts {
    const sum = new ArmLogCounts(this.sums.length, this.maxCells);
    for (let gene = 0; gene < this.sums.length; gene++) {
      sum.sums[gene] = this.sums[gene] + other.sums[gene];
      sum.expressing[gene] = this.expressing[gene] + other.expressing[gene];
    }
    sum.nCells = this.nCells + other.nCells;
    return sum;
  }

  /** The ratios' medians of cells that are among those added. */
  ratios(method: RatioReference): MedianOfRatios {
    return new MedianOfRatios(method, logReferenceProfile(method, this.logs, this.expressing, this.nCells));
  }
}

/**
 * Divides size factors by their geometric mean, or by their arithmetic one.
 *
 * @param raw - positive and finite
 */
export function scaleFactors(raw: ArrayLike<number>, mean: 'geometric' | 'arithmetic'): Float64Array {
  let sum = 0;
  for (let cell = 0; cell < raw.length; cell++) sum += mean === 'geometric' ? Math.log(raw[cell]) : raw[cell];
  const scale = mean === 'geometric' ? Math.exp(sum / raw.length) : sum / raw.length;
  return Float64Array.from(raw, (value) => value / scale);
}
