import type { CellDesign } from '@shardex/shared/artifacts';
import { InvalidInputError } from '@shardex/shared/errors';
import { collinearColumns } from '@shardex/shared/stats';

/** One column of the design matrix: its covariate, and its value in a stratum; continuous ones vary within strata. */
interface ModelColumn {
  readonly covariate: string;
  readonly inStratum: ((levels: readonly number[]) => number) | null;
}

/**
 * @param stratum - per cell, −1 where it takes no part
 * @param values - continuous covariates, nCells × C
 * @throws InvalidInputError naming the covariates of which one follows from the others
 */
export function requireIndependent(design: CellDesign, stratum: Int32Array, values: Float64Array): void {
  const columns = columnsOf(design);
  const gram = gramMatrix(design, columns, stratum, values);
  const p = columns.length;
  const [first] = collinearColumns(gram, p);
  if (first === undefined) return;
  const covariate = columns[first].covariate;
  const earlier = [...new Set(columns.slice(1, first).map((column) => column.covariate))].filter(
    (name) => name !== covariate,
  );
  const explains = (names: readonly string[]): boolean => {
    const kept = columns.flatMap((column, i) => (i === 0 || names.includes(column.covariate) ? [i] : []));
    const chosen = [...kept, first];
    const part = Float64Array.from(chosen.flatMap((i) => chosen.map((j) => gram[i * p + j])));
    return collinearColumns(part, chosen.length).includes(kept.length);
  };
  const single = earlier.find((name) => explains([name]));
  const names = (single === undefined ? earlier : [single]).map((name) => `"${name}"`).join(', ');
  throw new InvalidInputError(
    `covariate "${covariate}" is collinear with ${names}: their effects cannot be told apart`,
    {
      hint: 'leave one of them out, or make one column of their combinations',
      details: { covariate, collinearWith: single ?? earlier.join() },
    },
  );
}

/** Intercept, then dummies of each categorical column without its first level, then the continuous ones. */
function columnsOf({ categorical, continuous }: CellDesign): ModelColumn[] {
  const columns: ModelColumn[] = [{ covariate: '', inStratum: () => 1 }];
  categorical.forEach(({ name, levels }, c) => {
    for (let level = 1; level < levels.length; level++) {
      columns.push({ covariate: name, inStratum: (stratum) => (stratum[c] === level ? 1 : 0) });
    }
  });
  for (const { name } of continuous) columns.push({ covariate: name, inStratum: null });
  return columns;
}

/** XᵀX over the cells: strata enter by their numbers of cells and sums of the continuous covariates. */
function gramMatrix(
  { strata, continuous }: CellDesign,
  columns: readonly ModelColumn[],
  stratum: Int32Array,
  values: Float64Array,
): Float64Array {
  const nContinuous = continuous.length;
  const cells = new Float64Array(strata.length);
  const sums = new Float64Array(strata.length * nContinuous);
  const products = new Float64Array(nContinuous * nContinuous);
  for (let cell = 0; cell < stratum.length; cell++) {
    const s = stratum[cell];
    if (s < 0) continue;
    cells[s]++;
    for (let a = 0; a < nContinuous; a++) {
      const value = values[cell * nContinuous + a];
      sums[s * nContinuous + a] += value;
      for (let b = 0; b < nContinuous; b++) products[a * nContinuous + b] += value * values[cell * nContinuous + b];
    }
  }
  const p = columns.length;
  const firstContinuous = p - nContinuous;
  const inStrata = columns.map(({ inStratum }) => (inStratum === null ? null : strata.map(inStratum)));
  const gram = new Float64Array(p * p);
  for (let i = 0; i < p; i++) {
    for (let j = i; j < p; j++) {
      const [x, y] = [inStrata[i], inStrata[j]];
      let sum = 0;
      if (x === null) sum = products[(i - firstContinuous) * nContinuous + j - firstContinuous];
      else {
        for (let s = 0; s < strata.length; s++) {
          if (x[s] !== 0) sum += y === null ? sums[s * nContinuous + j - firstContinuous] : cells[s] * y[s];
        }
      }
      gram[i * p + j] = sum;
      gram[j * p + i] = sum;
    }
  }
  return gram;
}
