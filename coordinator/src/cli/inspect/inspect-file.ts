import {
  countLabels,
  detectDesign,
  controlCandidates,
  perturbationColumnCandidates,
  type DesignColumn,
} from '@shardex/shared/config';
import { InvalidInputError, type ShardexError, toShardexError } from '@shardex/shared/errors';
import {
  columnLabels,
  readH5adMetadata,
  type ColumnSummary,
  type H5adMetadata,
  type ObsColumn,
} from '@shardex/shared/h5ad';
import { openByteSource } from '@shardex/shared/storage';
import { formatQuantity } from '../render/numbers.js';
import type { DesignCandidate, InspectedColumn, InspectedMatrix, Inspection } from './inspection.js';
import { sampleMatrix } from './sample-matrix.js';

interface ReadColumn extends DesignColumn {
  readonly missing: number;
}

const holdsLabels = ({ kind }: ColumnSummary): boolean => kind === 'categorical' || kind === 'string';

function readColumn(column: ObsColumn): ReadColumn {
  const { codes, labels } = columnLabels(column);
  const counted = countLabels(codes, labels);
  const labelled = counted.reduce((sum, { cells }) => sum + cells, 0);
  return { name: column.name, kind: 'label', labels: counted, missing: codes.length - labelled };
}

/** Everything `shardex inspect` says. Reads metadata, the columns of labels, and up to 512 rows of each matrix. */
export async function inspectFile(path: string): Promise<Inspection> {
  const overview = await readH5adMetadata(path, { obsNames: true, varNames: true });
  const labelColumns = overview.obsColumns.filter(holdsLabels).map(({ name }) => name);
  const { columns } = await readH5adMetadata(path, { obsColumns: labelColumns, varNames: false });
  const read = columns.map(readColumn);
  const problems: string[] = [...overview.warnings];
  if (overview.matrices.length === 0) problems.push('the file has no matrix: neither X, nor a layer, nor raw/X');
  const matrices = await inspectMatrices(path, overview, problems);
  const design = findDesign(overview, read, problems);
  return {
    path,
    sizeBytes: overview.sizeBytes,
    encoding: [overview.encodingType, overview.encodingVersion].filter((text) => text !== '').join(' '),
    cells: overview.nObs,
    genes: overview.nVar,
    matrices,
    obsColumns: overview.obsColumns.map((column): InspectedColumn => {
      const found = read.find(({ name }) => name === column.name);
      return { ...column, labelCount: found?.labels.length ?? null, missing: found?.missing ?? null };
    }),
    varColumns: overview.varColumns,
    design,
    candidates: designCandidates(read),
    problems,
  };
}

/** Each matrix with its scale; what is wrong with its values is added to `problems`. */
async function inspectMatrices(path: string, overview: H5adMetadata, problems: string[]): Promise<InspectedMatrix[]> {
  const source = await openByteSource(path);
  const inspected: InspectedMatrix[] = [];
  try {
    for (const matrix of overview.matrices) {
      const elements = matrix.nRows * matrix.nColumns;
      const density = elements === 0 ? 0 : matrix.storedCount / elements;
      try {
        const metadata = await readH5adMetadata(path, { matrix: matrix.path, varNames: false });
        const verdict = await sampleMatrix(metadata, source);
        inspected.push({ ...matrix, density, verdict });
        if (verdict.notFiniteValues > 0) problems.push(`${matrix.path} has NaN or infinite values`);
        if (verdict.negativeValues > 0) problems.push(`${matrix.path} has negative values`);
        if (verdict.emptyRows > 0) {
          problems.push(
            `${verdict.emptyRows} of ${formatQuantity(verdict.sampledRows, 'sampled cell')} of ${matrix.path} ${verdict.emptyRows === 1 ? 'is' : 'are'} empty`,
          );
        }
      } catch (error) {
        const known = toShardexError(error, `reading ${matrix.path}`);
        if (!isAboutData(known)) throw known;
        problems.push(`${matrix.path}: ${known.sentence}`);
        inspected.push({ ...matrix, density, verdict: null });
      }
    }
  } finally {
    await source.close();
  }
  return inspected;
}

/** Bad data is what inspection is for; a failing disk is not. */
const isAboutData = ({ tag }: ShardexError): boolean => tag === 'CorruptData' || tag === 'UnsupportedData';

function findDesign(overview: H5adMetadata, read: readonly ReadColumn[], problems: string[]): Inspection['design'] {
  try {
    const { perturbationColumn, controlLabel, controlCells, perturbationCount } = detectDesign(read, {
      perturbationColumn: null,
      controlLabel: null,
    });
    const column = read.find(({ name }) => name === perturbationColumn) as ReadColumn;
    const cells = column.labels.filter(({ label }) => label !== controlLabel).map((each) => each.cells);
    const single = cells.filter((count) => count === 1).length;
    if (column.missing > 0)
      problems.push(
        `${formatQuantity(column.missing, 'cell')} of ${overview.nObs} ${column.missing === 1 ? 'has' : 'have'} no label in "${perturbationColumn}"`,
      );
    if (single > 0)
      problems.push(
        `${formatQuantity(single, 'perturbation')} in "${perturbationColumn}" ${single === 1 ? 'has' : 'have'} only 1 cell`,
      );
    if (controlCells < 2)
      problems.push(`the control "${controlLabel}" has only ${formatQuantity(controlCells, 'cell')}`);
    cells.sort((left, right) => left - right);
    const medianCells = (cells[(cells.length - 1) >> 1] + cells[cells.length >> 1]) / 2;
    return { perturbationColumn, controlLabel, controlCells, perturbations: perturbationCount, medianCells };
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error;
    problems.push(error.sentence);
    return null;
  }
}

function designCandidates(read: readonly DesignColumn[]): DesignCandidate[] {
  return perturbationColumnCandidates(read, null).map(({ name, labels }) => {
    const controls = controlCandidates(labels.map(({ label }) => label));
    return {
      column: name,
      perturbations: labels.length - controls.length,
      controls: labels.filter(({ label }) => controls.includes(label)),
    };
  });
}
