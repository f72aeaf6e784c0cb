import { isRatioMethod } from '@shardex/shared/config';
import { InvalidInputError } from '@shardex/shared/errors';
import type { CellDesign } from '@shardex/shared/artifacts';
import {
  ArmLogCounts,
  collinearColumns,
  ComparisonCells,
  createComparisonDesign,
  scaleFactors,
} from '@shardex/shared/stats';
import type { CountRowBuffer } from './fit-cells-counts.js';
import type { ControlCells } from './fit-cells-control.js';
import type { CellCovariates, CellFactors } from './job-data.js';
import type { TaskScope } from './task-scope.js';

/**
 * The cells of one comparison, the control's first, with their design and size factors; null where the covariates explain
 * the perturbation, so that its effect cannot be told from theirs.
 *
 * @throws InvalidInputError for a cell without a size factor in this comparison
 */
export async function comparisonCells(
  scope: TaskScope,
  factors: CellFactors,
  control: ControlCells,
  perturbed: CountRowBuffer,
): Promise<ComparisonCells | null> {
  const { job } = scope;
  const cells = [...control.cells, ...perturbed.cells];
  const tested = cells.map((_, i) => (i < control.cells.length ? 0 : 1));
  const covariates = independentColumns(
    tested,
    covariateColumns(job.context.design, await job.cellCovariates(), cells),
  );
  if (covariates === null) return null;
  const sizeFactors = await sizeFactorsOf(scope, factors, control, perturbed, cells);
  return new ComparisonCells(createComparisonDesign([tested, ...covariates]), sizeFactors);
}

/** Indicators of every level but the first of the categorical covariates, then the continuous ones. */
function covariateColumns(
  { categorical, strata, continuous }: CellDesign,
  { stratum, continuous: values }: CellCovariates,
  cells: readonly number[],
): number[][] {
  const columns: number[][] = [];
  for (const [c, { levels }] of categorical.entries()) {
    for (let level = 1; level < levels.length; level++) {
      columns.push(cells.map((cell) => (strata[stratum?.[cell] ?? 0][c] === level ? 1 : 0)));
    }
  }
  for (let c = 0; c < continuous.length; c++) {
    columns.push(cells.map((cell) => values?.[cell * continuous.length + c] ?? 0));
  }
  return columns;
}

/** The columns that neither the intercept nor those before explain; null when together they explain the tested one. */
function independentColumns(tested: readonly number[], columns: readonly number[][]): number[][] | null {
  const all = [tested.map(() => 1), ...columns, tested];
  const gram = Float64Array.from({ length: all.length ** 2 }, (_, at) => {
    const [a, b] = [all[Math.floor(at / all.length)], all[at % all.length]];
    return a.reduce((sum, value, cell) => sum + value * b[cell], 0);
  });
  const collinear = new Set(collinearColumns(gram, all.length));
  return collinear.has(all.length - 1) ? null : columns.filter((_, c) => !collinear.has(c + 1));
}

async function sizeFactorsOf(
  scope: TaskScope,
  factors: CellFactors,
  control: ControlCells,
  perturbed: CountRowBuffer,
  cells: readonly number[],
): Promise<ArrayLike<number>> {
  const { nGenes, nCells, parameters } = scope.job.context;
  const { sizeFactors: method, sizeFactorScope, scaleSizeFactors } = parameters;
  if (sizeFactorScope === 'global') return cells.map((cell) => factors.sizeFactor[cell]);
  if (method === 'total') {
    const totals = cells.map((cell) => factors.total[cell]);
    return scaleFactors(totals, scaleSizeFactors ? 'geometric' : 'arithmetic');
  }
  if (!isRatioMethod(method) || control.logCounts === null) {
    const given = cells.map((cell) => factors.sizeFactor[cell]);
    return scaleSizeFactors ? scaleFactors(given, 'geometric') : given;
  }
  const own = new ArmLogCounts(nGenes, nCells);
  const { indptr, indices, counts } = perturbed.rows();
  own.addRows({ nRows: perturbed.cells.length, indptr, indices, counts });
  const ratios = control.logCounts.with(own).ratios(method);
  const medians = await control.medians(ratios);
  for (let row = 0; row < perturbed.cells.length; row++) {
    medians.push(ratios.of(indices, counts, indptr[row], indptr[row + 1]));
  }
  const without = medians.findIndex((median) => !(median > 0));
  if (without >= 0) {
    throw new InvalidInputError(`cell ${cells[without] + 1} has no median of ratios within its comparison`, {
      hint: 'choose --size-factors total, or leave out cells with few genes by --min-genes',
      details: { cell: cells[without] },
    });
  }
  // Geometric mean 1 is part of the definition of poscounts, PyDESeq2's too.
  return scaleSizeFactors || method.endsWith('poscounts') ? scaleFactors(medians, 'geometric') : medians;
}
