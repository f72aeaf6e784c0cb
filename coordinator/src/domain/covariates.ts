import {
  NO_COVARIATES,
  type CategoricalColumn,
  type CellDesign,
  type ContinuousColumn,
} from '@shardex/shared/artifacts';
import { InvalidInputError } from '@shardex/shared/errors';
import { requireIndependent } from './collinear-covariates.js';

/** A column of obs as a covariate: labels (codes −1 where missing) or numbers (NaN where missing). */
export type CovariateColumn = { readonly name: string } & (
  | {
      readonly kind: 'labels';
      readonly codes: Int32Array;
      readonly labels: readonly string[];
      /** The labels' order is the column's own; otherwise levels are put in ascending order. */
      readonly isOrdered: boolean;
    }
  | { readonly kind: 'numbers'; readonly values: Float64Array }
);

/** What the user named, already read; a column appears once. */
export interface CovariateRequest {
  readonly covariates: readonly CovariateColumn[];
  /** The batch column, by labels whatever its type; null: none. */
  readonly batch: Extract<CovariateColumn, { kind: 'labels' }> | null;
  /** Whether the columns enter a linear model, where none may be a combination of others. */
  readonly forModel: boolean;
}

/** The covariates of every cell: arrays are null where they would be empty. See `CellDesign`. */
export interface ResolvedCovariates {
  readonly design: CellDesign;
  readonly stratum: Int32Array | null;
  readonly batch: Int32Array | null;
  readonly covariates: Float64Array | null;
  readonly warnings: readonly string[];
}

/** 273 batches have been published (Replogle 2022, K562 genome-wide); beyond twice that a column is an identifier. */
const MAX_LEVELS = 600;
/** The model of a comparison takes measures of every gene for each stratum and arm. */
const MAX_STRATA = 1000;
/** A numeric column with this few values is more likely a code than a measurement. */
const FEW_VALUES = 8;

/**
 * Sorts the cells by the levels of the categorical columns and standardises the numeric ones.
 *
 * @param group - per cell, −1 where it takes no part
 * @throws InvalidInputError for a missing value, a column with one value or too many levels, or collinear columns
 */
export function resolveCovariates(group: Int32Array, request: CovariateRequest): ResolvedCovariates {
  const { covariates, batch, forModel } = request;
  if (covariates.length === 0 && batch === null) {
    return { design: NO_COVARIATES, stratum: null, batch: null, covariates: null, warnings: [] };
  }
  const byLabels = [...covariates, ...(batch === null ? [] : [batch])].filter((column) => column.kind === 'labels');
  const factors = byLabels.map((column) => levelsOf(group, column));
  const numeric = covariates.filter((column) => column.kind === 'numbers');
  const scaled = numeric.map((column) => standardise(group, column));
  const { stratum, strata } = crossLevels(group, factors);
  const design: CellDesign = {
    categorical: factors.map(({ column }) => column),
    strata,
    continuous: scaled.map(({ column }) => column),
    batch: batch === null ? null : factors[factors.length - 1].column,
  };
  const values = interleave(scaled.map((column) => column.values));
  if (forModel) requireIndependent(design, stratum, values);
  return {
    design,
    stratum: factors.length === 0 ? null : stratum,
    batch: batch === null ? null : factors[factors.length - 1].codes,
    covariates: scaled.length === 0 ? null : values,
    warnings: scaled.flatMap(({ column, distinct }) =>
      distinct > FEW_VALUES
        ? []
        : [
            `covariate "${column.name}" is numeric with ${distinct} values and enters as a slope; ` +
              'make it a column of text for an effect of each value',
          ],
    ),
  };
}

interface Factor {
  readonly column: CategoricalColumn;
  /** Level of each cell, −1 where it takes no part. */
  readonly codes: Int32Array;
}

function levelsOf(group: Int32Array, column: Extract<CovariateColumn, { kind: 'labels' }>): Factor {
  const { name, codes, labels, isOrdered } = column;
  const present = new Uint8Array(labels.length);
  for (let cell = 0; cell < group.length; cell++) {
    if (group[cell] < 0) continue;
    if (codes[cell] < 0 || labels[codes[cell]] === '') throw missing(name, cell);
    present[codes[cell]] = 1;
  }
  const used = labels.flatMap((label, code) => (present[code] === 1 ? [{ label, code }] : []));
  if (used.length < 2) throw constant(name, used[0]?.label ?? '');
  if (used.length > MAX_LEVELS) {
    throw new InvalidInputError(`column "${name}" has ${used.length} levels, more than the ${MAX_LEVELS} of a model`, {
      hint: 'name a column with fewer, such as the batch or the donor of each cell',
    });
  }
  if (!isOrdered) used.sort((a, b) => compareLabels(a.label, b.label));
  const levelOfCode = new Int32Array(labels.length).fill(-1);
  used.forEach(({ code }, level) => (levelOfCode[code] = level));
  return {
    column: { name, levels: used.map(({ label }) => label) },
    codes: codes.map((code, cell) => (group[cell] < 0 ? -1 : levelOfCode[code])),
  };
}

/** Numbers by value, before text by code units. */
function compareLabels(a: string, b: string): number {
  const [x, y] = [Number(a), Number(b)];
  if (!Number.isNaN(x) && !Number.isNaN(y) && x !== y) return x - y;
  return a < b ? -1 : a > b ? 1 : 0;
}

function standardise(
  group: Int32Array,
  { name, values }: Extract<CovariateColumn, { kind: 'numbers' }>,
): { column: ContinuousColumn; values: Float64Array; distinct: number } {
  let n = 0;
  let sum = 0;
  const seen = new Set<number>();
  for (let cell = 0; cell < group.length; cell++) {
    if (group[cell] < 0) continue;
    if (!Number.isFinite(values[cell])) throw missing(name, cell);
    sum += values[cell];
    n++;
    if (seen.size <= FEW_VALUES) seen.add(values[cell]);
  }
  if (seen.size < 2) throw constant(name, String([...seen][0]));
  const centre = sum / n;
  let squares = 0;
  for (let cell = 0; cell < group.length; cell++) if (group[cell] >= 0) squares += (values[cell] - centre) ** 2;
  const scale = Math.sqrt(squares / (n - 1));
  return {
    column: { name, centre, scale },
    values: values.map((value, cell) => (group[cell] < 0 ? NaN : (value - centre) / scale)),
    distinct: seen.size,
  };
}

/** The combinations of levels that occur, in ascending order, and the one of each cell. */
function crossLevels(
  group: Int32Array,
  factors: readonly Factor[],
): { stratum: Int32Array; strata: readonly (readonly number[])[] } {
  const combinations = new Map<string, number[]>();
  const keys = new Array<string>(group.length);
  for (let cell = 0; cell < group.length; cell++) {
    if (group[cell] < 0) continue;
    const levels = factors.map(({ codes }) => codes[cell]);
    keys[cell] = levels.join();
    if (!combinations.has(keys[cell])) combinations.set(keys[cell], levels);
  }
  if (combinations.size > MAX_STRATA) {
    const names = factors.map(({ column }) => `"${column.name}"`).join(', ');
    throw new InvalidInputError(`${names} make ${combinations.size} strata, more than ${MAX_STRATA}`, {
      hint: 'leave one of the columns out, or join their levels into fewer',
    });
  }
  const sorted = [...combinations].sort(([, a], [, b]) => a.map((level, c) => level - b[c]).find((d) => d !== 0) ?? 0);
  const position = new Map(sorted.map(([key], s) => [key, s]));
  return {
    stratum: group.map((g, cell) => (g < 0 ? -1 : (position.get(keys[cell]) ?? -1))),
    strata: sorted.map(([, levels]) => levels),
  };
}

function interleave(columns: readonly Float64Array[]): Float64Array {
  const nCells = columns[0]?.length ?? 0;
  const values = new Float64Array(nCells * columns.length);
  columns.forEach((column, c) => column.forEach((value, cell) => (values[cell * columns.length + c] = value)));
  return values;
}

const missing = (name: string, cell: number): InvalidInputError =>
  new InvalidInputError(`column "${name}" has no value for cell ${cell + 1}, which takes part`, {
    hint: 'fill the column, or leave such cells out of the perturbation column',
    details: { column: name, cell },
  });

const constant = (name: string, value: string): InvalidInputError =>
  new InvalidInputError(`column "${name}" is ${value} for every cell that takes part: it explains nothing`, {
    hint: 'leave it out',
  });
