import { countLabels, detectDesign, isRatioMethod, sizeFactorColumn, type DeParameters } from '@shardex/shared/config';
import { InvalidInputError } from '@shardex/shared/errors';
import {
  columnLabels,
  fitRecord,
  openRowSource,
  openH5adMetadata,
  type H5adMetadata,
  type H5adMetadataSession,
  type MatrixDescriptor,
  type ObsColumn,
} from '@shardex/shared/h5ad';
import { openByteSource } from '@shardex/shared/storage';
import { resolveDesign, withoutControl, type Design, type ResolvedCovariates } from '../../domain/index.js';
import { covariateNames, readCovariates } from './read-covariates.js';

/** The input as a job sees it, with everything that was left open decided. */
export interface ResolvedInput {
  readonly metadata: H5adMetadata;
  readonly descriptor: MatrixDescriptor;
  readonly parameters: DeParameters;
  readonly inputScale: 'counts' | 'log1p';
  readonly design: Design;
  /** Values of the obs column named by `--size-factors obs:NAME`, otherwise null. */
  readonly givenSizeFactors: Float64Array | null;
  readonly covariates: ResolvedCovariates;
  /** What was detected and what a user should know, one sentence each. */
  readonly warnings: readonly string[];
}

/** Nonzeros looked at to tell counts from other scales before any work is planned; the scan checks every value. */
const SAMPLE_NONZEROS = 500_000;

/**
 * Reads the file's description and decides what the parameters left open.
 *
 * @throws InvalidInputError, UnsupportedDataError, CorruptDataError with the sentence the user reads
 */
export async function readInput(parameters: DeParameters): Promise<ResolvedInput> {
  const file = openH5adMetadata(parameters.input);
  try {
    return await resolveInput(parameters, file);
  } finally {
    await file.close();
  }
}

async function resolveInput(parameters: DeParameters, file: H5adMetadataSession): Promise<ResolvedInput> {
  const path = parameters.input;
  const overview = await file.read({ varNames: false });
  const choice = await chooseDesign(parameters, overview, file);
  const factorColumn = sizeFactorColumn(parameters.sizeFactors);
  const wanted = [choice.column, ...(factorColumn === null ? [] : [factorColumn])];
  const covariateColumns = covariateNames(parameters, choice.column);
  for (const name of [...wanted, ...covariateColumns]) requireColumn(overview, name);
  const matrix =
    parameters.layer === null ? 'X' : parameters.layer === 'raw/X' ? 'raw/X' : `layers/${parameters.layer}`;
  requireMatrix(overview, matrix);
  const metadata = await file.read({
    matrix,
    obsColumns: [...wanted, ...covariateColumns],
    varNames: true,
    obsNamesAddress: true,
  });
  const descriptor = metadata.descriptor as MatrixDescriptor;
  if (descriptor.nRows === 0 || descriptor.nColumns === 0) {
    throw new InvalidInputError(`${path}: ${matrix} has ${descriptor.nRows} cells and ${descriptor.nColumns} genes`, {
      hint: 'there is nothing to test',
    });
  }
  const labels = columnLabels(metadata.columns[0]);
  const labelled = resolveDesign(labels.codes, labels.labels, choice.control, parameters.perturbations, choice.column);
  const design = parameters.reference === 'other-perturbed' ? withoutControl(labelled) : labelled;
  const covariates = readCovariates(parameters, metadata.columns.slice(wanted.length), design.group);
  const inputScale = parameters.inputScale ?? (await judgeScale(path, matrix, descriptor));
  if (inputScale === 'log1p' && parameters.tests.includes('nb-glm')) {
    throw new InvalidInputError('the NB-GLM needs counts, but --input-scale says log1p', {
      hint: 'choose --tests wilcoxon,t-test, or name the layer that holds counts with --layer',
    });
  }
  if (inputScale === 'log1p' && isRatioMethod(parameters.sizeFactors)) {
    throw new InvalidInputError(`--size-factors ${parameters.sizeFactors} needs counts, but --input-scale says log1p`, {
      hint: 'leave the option out: nothing is divided by size factors on that scale',
    });
  }
  if (inputScale === 'log1p' && parameters.minTotalCount > 0) {
    throw new InvalidInputError('--min-total-count needs counts, but --input-scale says log1p', {
      hint: 'give --min-total-count 0; --min-cells-expressed counts cells on either scale',
    });
  }
  if (parameters.scanpy && parameters.formats.includes('h5ad')) requireRecordsFit(parameters, design);
  const warnings = [...choice.said, ...metadata.warnings, ...covariates.warnings];
  if ((metadata.duplicateVarNames?.count ?? 0) > 0) {
    const { count, example } = metadata.duplicateVarNames as { count: number; example: string | null };
    warnings.push(`${count} genes repeat a name used before (first: ${example}); their rows keep the file's order`);
  }
  if (design.unlabelled > 0)
    warnings.push(`${design.unlabelled} cells have no label in "${choice.column}" and are left out`);
  if (design.notSelected > 0)
    warnings.push(`${design.notSelected} cells of perturbations that were not asked for are left out`);
  if (design !== labelled)
    warnings.push(`${labelled.cells[0]} control cells are left out: perturbations are compared with each other`);
  return {
    metadata,
    descriptor,
    parameters: { ...parameters, perturbationColumn: choice.column, controlLabel: choice.control, inputScale },
    inputScale,
    design,
    givenSizeFactors: factorColumn === null ? null : numericColumn(metadata.columns[1]),
    covariates,
    warnings,
  };
}

async function chooseDesign(
  parameters: DeParameters,
  overview: H5adMetadata,
  file: H5adMetadataSession,
): Promise<{ column: string; control: string; said: string[] }> {
  const { perturbationColumn, controlLabel } = parameters;
  if (perturbationColumn !== null) requireColumn(overview, perturbationColumn);
  if (perturbationColumn !== null && controlLabel !== null) {
    return { column: perturbationColumn, control: controlLabel, said: [] };
  }
  const readable = overview.obsColumns
    .filter(({ kind, name }) =>
      perturbationColumn === null ? kind === 'categorical' || kind === 'string' : name === perturbationColumn,
    )
    .map(({ name }) => name);
  const { columns } = await file.read({ obsColumns: readable, varNames: false });
  const candidates = columns.map((column) => {
    const { codes, labels } = columnLabels(column);
    const kind = column.kind === 'categorical' || column.kind === 'string' ? ('label' as const) : ('number' as const);
    return { name: column.name, kind, labels: countLabels(codes, labels) };
  });
  const detected = detectDesign(candidates, { perturbationColumn, controlLabel });
  return { column: detected.perturbationColumn, control: detected.controlLabel, said: [...detected.detected] };
}

function requireColumn(overview: H5adMetadata, name: string): void {
  const column = overview.obsColumns.find((candidate) => candidate.name === name);
  if (column !== undefined && column.kind !== 'unsupported') return;
  const names = overview.obsColumns.map((candidate) => candidate.name).join(', ');
  throw new InvalidInputError(
    column === undefined
      ? `${overview.path} has no obs column "${name}"`
      : `obs column "${name}" of ${overview.path} has a type that cannot be read`,
    { hint: names === '' ? 'its obs table has no columns' : `choose one of ${names}` },
  );
}

function requireMatrix(overview: H5adMetadata, matrix: string): void {
  if (overview.matrices.some(({ path }) => path === matrix)) return;
  const names = overview.matrices.map(({ path }) => path).join(', ');
  throw new InvalidInputError(`${overview.path} has no ${matrix}`, {
    hint: names === '' ? 'the file holds no matrix at all' : `it holds ${names}; choose with --layer`,
  });
}

function numericColumn(column: ObsColumn): Float64Array {
  if (column.kind === 'float') return column.values;
  if (column.kind === 'integer') return Float64Array.from(column.values, Number);
  throw new InvalidInputError(`obs column "${column.name}" is ${column.kind}, not numeric`, {
    hint: 'name a numeric column with --size-factors obs:NAME',
  });
}

/** scanpy's table has a field for every perturbation, and HDF5 limits how many: better said now than when all is computed. */
function requireRecordsFit({ minCellsPerPerturbation, reference }: DeParameters, { labels, cells }: Design): void {
  const first = reference === 'rest' ? 0 : 1;
  const tested = labels.filter((_, group) => group >= first && cells[group] >= minCellsPerPerturbation);
  if (fitRecord(tested)) return;
  throw new InvalidInputError(
    `--scanpy cannot hold ${tested.length} perturbations: HDF5 takes about 900 in one table`,
    {
      hint: 'leave it out, or choose fewer with --perturbations',
    },
  );
}

/**
 * Looks at the first rows: whole non-negative numbers are counts; anything else has to be declared by the user.
 */
async function judgeScale(path: string, matrix: string, descriptor: MatrixDescriptor): Promise<'counts'> {
  const source = await openByteSource(path);
  try {
    let seen = 0;
    for await (const block of openRowSource(descriptor, source).blocks(0, descriptor.nRows, SAMPLE_NONZEROS)) {
      for (let i = 0; i < block.indptr[block.nRows]; i++) {
        const value = block.values[i];
        if (value >= 0 && value < Infinity && Math.floor(value) === value) continue;
        const cell = block.rowBegin + block.indptr.findIndex((begin) => begin > i);
        const where = `cell ${cell}, gene ${block.indices[i] + 1}`;
        const isFraction = value > 0 && value < Infinity;
        throw new InvalidInputError(`${path}: ${matrix} does not hold counts: ${where} is ${value}`, {
          hint: isFraction
            ? 'choose the matrix of raw counts with --layer, or declare --input-scale log1p if the values are log-normalised'
            : 'choose the matrix of raw counts with --layer or repair the file',
        });
      }
      seen += block.indptr[block.nRows];
      if (seen >= SAMPLE_NONZEROS) break;
    }
    return 'counts';
  } finally {
    await source.close();
  }
}
