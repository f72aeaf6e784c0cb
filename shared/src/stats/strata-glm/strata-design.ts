import { collinearColumns } from '../collinear-columns.js';

/** Rows of a log-linear model: a level of the leading factor, and a row of the other columns. */
export interface StrataModel {
  readonly nRows: number;
  /** Level of the leading factor, the one with most levels; each level has an intercept. */
  readonly level: Int32Array;
  readonly nLevels: number;
  /** nRows × nColumns: dummies of the other factors' levels. */
  readonly columns: Float64Array;
  readonly nColumns: number;
}

/**
 * The model of one comparison: η = intercept of the stratum's levels + β · perturbed, factors being additive.
 *
 * Its groups are the arms' occupied strata, control first; only the model with the perturbation has the column of β, its last.
 */
export interface StrataDesign {
  /** Groups: stratum and arm (0 control, 1 perturbed). */
  readonly stratum: Int32Array;
  readonly arm: Uint8Array;
  readonly cells: Uint32Array;
  readonly full: StrataModel;
  /** One row for each stratum that is occupied by either arm. */
  readonly null: StrataModel;
  /** Row of `null` of each group. */
  readonly nullRow: Int32Array;
  /** Coefficients of the full model. */
  readonly nCoefficients: number;
  /** Factors (their places) of which the perturbation is a combination, so that β has no estimate; empty: it has one. */
  readonly collinearWith: readonly number[];
  /** Factors whose levels cannot all be told apart in these strata; the others speak for them, and β is the same. */
  readonly aliased: readonly number[];
}

/** A dummy of a factor's level. */
interface Dummy {
  readonly factor: number;
  readonly level: number;
}

/**
 * The design of a comparison from the strata that its arms occupy.
 *
 * @param strata - strata[s][c]: level of factor c in stratum s; at least one factor
 * @param controlCells - cells of the control in each stratum
 * @param perturbedCells - cells of the perturbation in each stratum
 */
export function strataDesign(
  strata: readonly (readonly number[])[],
  controlCells: ArrayLike<number>,
  perturbedCells: ArrayLike<number>,
): StrataDesign {
  const occupied = (cells: ArrayLike<number>): number[] => strata.flatMap((_, s) => (cells[s] > 0 ? [s] : []));
  const [control, perturbed] = [occupied(controlCells), occupied(perturbedCells)];
  const stratum = Int32Array.from([...control, ...perturbed]);
  const arm = Uint8Array.from(stratum, (_, g) => (g < control.length ? 0 : 1));
  const pooled = [...new Set(stratum)].sort((a, b) => a - b);
  const leading = leadingFactor(strata, pooled);
  const levels = levelsOf(strata, pooled, leading);
  const dummies = strata[0].flatMap((_, factor) =>
    factor === leading
      ? []
      : levelsOf(strata, pooled, factor)
          .slice(1)
          .map((level): Dummy => ({ factor, level })),
  );
  const modelOf = (
    rows: ArrayLike<number>,
    kept: readonly Dummy[],
    isPerturbed: ArrayLike<number> | null,
  ): StrataModel => {
    const nColumns = kept.length + (isPerturbed === null ? 0 : 1);
    const columns = new Float64Array(rows.length * nColumns);
    for (let row = 0; row < rows.length; row++) {
      kept.forEach(
        ({ factor, level }, c) => (columns[row * nColumns + c] = strata[rows[row]][factor] === level ? 1 : 0),
      );
      if (isPerturbed !== null) columns[row * nColumns + nColumns - 1] = isPerturbed[row];
    }
    const level = Int32Array.from(rows, (s) => levels.indexOf(strata[s][leading]));
    return { nRows: rows.length, level, nLevels: levels.length, columns, nColumns };
  };
  const redundant = collinearWithinLevels(modelOf(pooled, dummies, null));
  const kept = dummies.filter((_, c) => !redundant.includes(c));
  const full = modelOf(stratum, kept, arm);
  const isCollinear = (model: StrataModel): boolean => collinearWithinLevels(model).includes(model.nColumns - 1);
  return {
    stratum,
    arm,
    cells: Uint32Array.from(stratum, (s, g) => (arm[g] === 0 ? controlCells : perturbedCells)[s]),
    full,
    null: modelOf(pooled, kept, null),
    nullRow: Int32Array.from(stratum, (s) => pooled.indexOf(s)),
    nCoefficients: levels.length + full.nColumns,
    collinearWith: isCollinear(full) ? factorsBehind(strata, stratum, arm) : [],
    aliased: [...new Set(redundant.map((c) => dummies[c].factor))],
  };
}

/**
 * Columns of a model that are combinations of its leading factor's levels and the columns before them.
 *
 * @param rows - which rows to look at; absent: all
 */
export function collinearWithinLevels(model: StrataModel, rows?: ArrayLike<number>): number[] {
  const { nRows, level, nLevels, columns, nColumns } = model;
  const inUse = (row: number): boolean => rows === undefined || rows[row] === 1;
  const counts = new Float64Array(nLevels);
  const means = new Float64Array(nLevels * nColumns);
  for (let row = 0; row < nRows; row++) {
    if (!inUse(row)) continue;
    counts[level[row]]++;
    for (let c = 0; c < nColumns; c++) means[level[row] * nColumns + c] += columns[row * nColumns + c];
  }
  for (let i = 0; i < means.length; i++) means[i] /= counts[Math.floor(i / nColumns)] || 1;
  const gram = new Float64Array(nColumns * nColumns);
  const deviation = new Float64Array(nColumns);
  for (let row = 0; row < nRows; row++) {
    if (!inUse(row)) continue;
    for (let c = 0; c < nColumns; c++) {
      const difference = columns[row * nColumns + c] - means[level[row] * nColumns + c];
      deviation[c] = Math.abs(difference) < ROUNDING ? 0 : difference;
    }
    for (let a = 0; a < nColumns; a++) {
      if (deviation[a] === 0) continue;
      for (let b = 0; b < nColumns; b++) gram[a * nColumns + b] += deviation[a] * deviation[b];
    }
  }
  return collinearColumns(gram, nColumns);
}

/** Dummies differ from a level's mean by at least one over its number of rows, or not at all. */
const ROUNDING = 1e-9;

const levelsOf = (strata: readonly (readonly number[])[], rows: readonly number[], factor: number): number[] =>
  [...new Set(rows.map((s) => strata[s][factor]))].sort((a, b) => a - b);

/** The factor with most levels in these strata, the first of equals. */
function leadingFactor(strata: readonly (readonly number[])[], rows: readonly number[]): number {
  const sizes = strata[0].map((_, factor) => levelsOf(strata, rows, factor).length);
  return sizes.indexOf(Math.max(...sizes));
}

/** The first factor that alone determines the arm of every group, otherwise all of them. */
function factorsBehind(strata: readonly (readonly number[])[], stratum: Int32Array, arm: Uint8Array): number[] {
  const determines = (factor: number): boolean => {
    const armOfLevel = new Map<number, number>();
    return arm.every((a, g) => {
      const level = strata[stratum[g]][factor];
      if (!armOfLevel.has(level)) armOfLevel.set(level, a);
      return armOfLevel.get(level) === a;
    });
  };
  const factors = strata[0].map((_, factor) => factor);
  const single = factors.find(determines);
  return single === undefined ? factors : [single];
}
