import { InvariantBrokenError } from '../../errors/index.js';

/**
 * The design of one comparison by its distinct rows: cells with equal covariates share one, so that e^η is computed once for
 * all of them. Two groups have two rows, continuous covariates one for every cell.
 */
export interface ComparisonDesign {
  readonly nCells: number;
  readonly nCoefficients: number;
  readonly nRows: number;
  /** Distinct rows in order of first appearance, nRows × nCoefficients; column 0 is the intercept. */
  readonly rows: Float64Array;
  /** Row of each cell. */
  readonly rowOf: Uint32Array;
  /** Column whose coefficient is tested: 1 in the perturbed arm, 0 in the reference. */
  readonly tested: number;
}

/**
 * Finds the distinct rows of a design.
 *
 * @param columns - beside the intercept, each with a value for every cell; the first is the tested one, of 0 and 1
 */
export function createComparisonDesign(columns: readonly ArrayLike<number>[]): ComparisonDesign {
  if (columns.length === 0) throw new InvariantBrokenError('a comparison needs the column that is tested');
  const nCells = columns[0].length;
  const nCoefficients = columns.length + 1;
  const rowOf = new Uint32Array(nCells);
  let nRows = 1;
  for (const column of columns) {
    // Cells that were alike so far part by this column's value.
    const codes = new Map<number, number>();
    for (let cell = 0; cell < nCells; cell++) {
      if (!codes.has(column[cell])) codes.set(column[cell], codes.size);
    }
    const parts = new Map<number, number>();
    for (let cell = 0; cell < nCells; cell++) {
      const key = rowOf[cell] * codes.size + (codes.get(column[cell]) ?? 0);
      let part = parts.get(key);
      if (part === undefined) parts.set(key, (part = parts.size));
      rowOf[cell] = part;
    }
    nRows = parts.size;
  }
  const rows = new Float64Array(nRows * nCoefficients);
  for (let cell = nCells - 1; cell >= 0; cell--) {
    const at = rowOf[cell] * nCoefficients;
    rows[at] = 1;
    for (let c = 1; c < nCoefficients; c++) rows[at + c] = columns[c - 1][cell];
  }
  return { nCells, nCoefficients, nRows, rows, rowOf, tested: 1 };
}

/** The rows of a design without the tested column, nRows × (nCoefficients − 1). */
export function rowsWithoutTested({ rows, nRows, nCoefficients, tested }: ComparisonDesign): Float64Array {
  const reduced = new Float64Array(nRows * (nCoefficients - 1));
  for (let row = 0, at = 0; row < nRows; row++) {
    for (let c = 0; c < nCoefficients; c++) if (c !== tested) reduced[at++] = rows[row * nCoefficients + c];
  }
  return reduced;
}
