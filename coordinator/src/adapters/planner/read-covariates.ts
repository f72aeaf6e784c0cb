import type { DeParameters } from '@shardex/shared/config';
import { InvalidInputError } from '@shardex/shared/errors';
import { columnLabels, type ObsColumn } from '@shardex/shared/h5ad';
import { resolveCovariates, type CovariateColumn, type ResolvedCovariates } from '../../domain/index.js';

/**
 * Columns of obs that `--covariates` and `--batch-column` name, each once: covariates first, in their order.
 *
 * @throws InvalidInputError when one of them is the perturbation column, or they are for the NB-GLM that is not asked for
 */
export function covariateNames(
  { covariates, batchColumn, tests }: DeParameters,
  perturbationColumn: string,
): readonly string[] {
  const asked = batchColumn === null ? covariates : [...covariates, batchColumn];
  if (asked.includes(perturbationColumn)) {
    const option = batchColumn === perturbationColumn ? '--batch-column' : '--covariates';
    throw new InvalidInputError(`${option} names "${perturbationColumn}", the perturbation column itself`, {
      hint: 'name columns that describe the cells otherwise, such as their batch',
    });
  }
  if (covariates.length > 0 && !tests.includes('nb-glm')) {
    throw new InvalidInputError('--covariates are of the NB-GLM, but --tests leaves it out', {
      hint: 'add nb-glm to --tests; the Wilcoxon test takes strata by --batch-column',
    });
  }
  return [...new Set(asked)];
}

/**
 * The covariates of every cell, from the columns that `covariateNames` lists.
 *
 * @throws InvalidInputError as `resolveCovariates`
 */
export function readCovariates(
  parameters: DeParameters,
  columns: readonly ObsColumn[],
  group: Int32Array,
): ResolvedCovariates {
  const batch = columns.find(({ name }) => name === parameters.batchColumn);
  const resolved = resolveCovariates(group, {
    covariates: columns.filter((column) => column !== batch).map(covariateOf),
    batch: batch === undefined ? null : labelled(batch),
    forModel: parameters.tests.includes('nb-glm'),
  });
  const { continuous } = resolved.design;
  if (continuous.length === 0 || parameters.dispersion !== null || parameters.dispersionScope !== 'global') {
    return resolved;
  }
  const warning =
    `${continuous.map(({ name }) => `"${name}"`).join(', ')} do not enter the mean model of the global dispersions; ` +
    '--dispersion-scope per-comparison puts them in';
  return { ...resolved, warnings: [...resolved.warnings, warning] };
}

function labelled(column: ObsColumn): Extract<CovariateColumn, { kind: 'labels' }> {
  const { codes, labels } = columnLabels(column);
  return { kind: 'labels', name: column.name, codes, labels, isOrdered: column.kind === 'categorical' };
}

function covariateOf(column: ObsColumn): CovariateColumn {
  if (column.kind !== 'integer' && column.kind !== 'float') return labelled(column);
  const { name, missing } = column;
  const values = Float64Array.from(column.values as ArrayLike<number | bigint>, Number);
  if (missing !== null) values.forEach((_, cell) => missing[cell] === 1 && (values[cell] = NaN));
  return { kind: 'numbers', name, values };
}
