import { isInCone } from './cone.js';
import type { StrataModel } from './strata-design.js';

/** Where the maximum of a gene's likelihood lies. */
export interface Separation {
  /** 1 for rows with a finite η at the maximum; the others, without counts, go to −∞ and have likelihood 1. */
  readonly finite: Uint8Array;
  /**
   * What the last column's coefficient does: `finite`; `up` or `down`, it grows beyond bounds; `free`, the rows with counts
   * say nothing of it.
   */
  readonly last: 'finite' | 'up' | 'down' | 'free';
}

/**
 * Which rows of a log-linear model have no finite η at the maximum of the likelihood, because they have no counts.
 *
 * η of a row without counts goes to −∞ if some direction d of the coefficients leaves every row with counts as it is (x d = 0),
 * raises none of the others (x d ≤ 0), and lowers it (x d < 0). A level of the leading factor without any count is such a case.
 * In the others, the intercept of a level follows from one of its rows with counts, the base row b, so directions are those
 * of the columns alone: (x − x_b) d. By Farkas' lemma a row is not lowered by any of them just when the opposite of its
 * difference is in the cone of the rows' differences.
 *
 * @param hasCounts - per row, whether any cell of it has a count
 * @source Correia, Guimarães & Zylkin 2019, arXiv:1903.01633, proposition 1 (existence of estimates in log-linear models)
 */
export function findSeparation(model: StrataModel, hasCounts: ArrayLike<number | boolean>): Separation {
  const { nRows, level, nLevels, columns, nColumns } = model;
  const base = new Int32Array(nLevels).fill(-1);
  for (let row = nRows - 1; row >= 0; row--) if (hasCounts[row]) base[level[row]] = row;
  const finite = Uint8Array.from(level, (l) => (base[l] < 0 ? 0 : 1));
  const difference = (row: number): Float64Array => {
    const from = base[level[row]];
    return Float64Array.from(
      { length: nColumns },
      (_, c) => columns[row * nColumns + c] - columns[from * nColumns + c],
    );
  };
  const span = new Complement(nColumns);
  for (let row = 0; row < nRows && span.dimension > 0; row++) if (hasCounts[row]) span.remove(difference(row));
  if (span.dimension === 0) return { finite, last: 'finite' };

  const empty: { row: number; direction: Float64Array }[] = [];
  for (let row = 0; row < nRows; row++) {
    if (finite[row] === 1 && !hasCounts[row]) empty.push({ row, direction: span.project(difference(row)) });
  }
  const cone = empty.map(({ direction }) => direction).filter((direction) => direction.some((x) => x !== 0));
  for (const { row, direction } of empty)
    if (
      !isInCone(
        direction.map((x) => -x),
        cone,
      )
    )
      finite[row] = 0;
  const axis = new Float64Array(nColumns);
  if (nColumns > 0) axis[nColumns - 1] = 1;
  const ofLast = span.project(axis);
  // d_last is bounded above by 0 just when its axis is in the cone.
  const isUp = !isInCone(ofLast, cone);
  const isDown = !isInCone(
    ofLast.map((x) => -x),
    cone,
  );
  return { finite, last: isUp ? (isDown ? 'free' : 'up') : isDown ? 'down' : 'finite' };
}

/** Below this, what is left of a vector of dummies is rounding error. */
const ROUNDING = 1e-9;

/** The orthogonal complement of vectors. */
export class Complement {
  private readonly basis: Float64Array[] = [];

  constructor(private readonly n: number) {}

  get dimension(): number {
    return this.n - this.basis.length;
  }

  /** Takes a vector's direction out of the complement. */
  remove(vector: Float64Array): void {
    const rest = this.project(vector);
    const length = Math.hypot(...rest);
    if (length > ROUNDING) this.basis.push(rest.map((x) => x / length));
  }

  /** The part of a vector that lies in the complement. */
  project(vector: Float64Array): Float64Array {
    const rest = vector.slice();
    // Twice is enough for orthogonality to the last bits (Giraud & Langou 2002).
    for (let pass = 0; pass < 2; pass++) {
      for (const unit of this.basis) {
        let along = 0;
        for (let i = 0; i < rest.length; i++) along += rest[i] * unit[i];
        for (let i = 0; i < rest.length; i++) rest[i] -= along * unit[i];
      }
    }
    return rest.map((x) => (Math.abs(x) < ROUNDING ? 0 : x));
  }
}
