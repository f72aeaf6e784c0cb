import { formatMemorySize } from '@shardex/shared/config';
import type { CliOutput } from '../cli-context.js';
import { formatCount, formatNumber, formatQuantity, formatShare } from '../render/numbers.js';
import { paintFor, type Paint } from '../render/paint.js';
import { renderFacts, renderTable } from '../render/table.js';
import type { InspectedColumn, InspectedMatrix, Inspection } from './inspection.js';

const MATRIX_COLUMNS = [
  { title: 'MATRIX' },
  { title: 'STORAGE' },
  { title: 'SHAPE', align: 'right' },
  { title: 'DTYPE' },
  { title: 'STORED', align: 'right' },
  { title: 'DENSITY', align: 'right' },
  { title: 'COMPRESSION' },
  { title: 'CHUNKS', align: 'right' },
  { title: 'SCALE' },
] as const;

/** A file without a problem of any note still lists at most so many columns of obs. */
const MOST_COLUMNS = 30;

function matrixRow(matrix: InspectedMatrix): string[] {
  const { chunkShape, compression, verdict } = matrix;
  return [
    matrix.path,
    [matrix.kind, matrix.encodingVersion].filter((text) => text !== '').join(' '),
    `${formatCount(matrix.nRows)} × ${formatCount(matrix.nColumns)}`,
    matrix.indexDtype === '' ? matrix.dtype : `${matrix.dtype}, ${matrix.indexDtype} indices`,
    formatCount(matrix.storedCount),
    formatShare(matrix.density),
    compression.length === 0 ? 'none' : compression.join(' + '),
    chunkShape === null ? 'none' : chunkShape.map(formatCount).join(' × '),
    verdict?.scale ?? 'unreadable',
  ];
}

function columnRow(column: InspectedColumn): string[] {
  const { missing } = column;
  return [
    column.name,
    column.kind,
    column.labelCount === null ? '' : formatCount(column.labelCount),
    missing === null || missing === 0 ? '' : formatQuantity(missing, 'cell'),
  ];
}

function renderDesign({ design, candidates }: Inspection, paint: Paint): string {
  const facts: (readonly [string, string])[] = [];
  if (design !== null) {
    const { perturbations, medianCells, controlCells } = design;
    facts.push(
      [
        'perturbation column',
        `${paint.bold(design.perturbationColumn)}  (${formatQuantity(perturbations, 'perturbation')}, median ${formatNumber(medianCells)} cells)`,
      ],
      ['control label', `${paint.bold(design.controlLabel)}  (${formatQuantity(controlCells, 'cell')})`],
    );
  } else {
    for (const { column, perturbations, controls } of candidates) {
      const labels = controls.map(({ label, cells }) => `${label} (${formatQuantity(cells, 'cell')})`).join(', ');
      facts.push(['candidate', `${column}: ${formatQuantity(perturbations, 'perturbation')}, control ${labels}`]);
    }
    if (candidates.length === 0) facts.push(['perturbation column', 'none found']);
  }
  return renderFacts(facts, (name) => paint.dim(name));
}

/** An inspection for people. */
export function renderInspection(inspection: Inspection, output: Pick<CliOutput, 'hasColour'>): string {
  const paint = paintFor(output);
  const bold = (title: string): string => paint.bold(title);
  const { matrices, obsColumns, varColumns, problems } = inspection;
  const facts = renderFacts(
    [
      ['file', inspection.path],
      ['size', formatMemorySize(inspection.sizeBytes)],
      ['encoding', inspection.encoding === '' ? 'older than anndata 0.8' : inspection.encoding],
      ['cells', formatCount(inspection.cells)],
      ['genes', formatCount(inspection.genes)],
    ],
    (name) => paint.dim(name),
  );
  const scales = renderFacts(
    matrices.flatMap(({ path, verdict }) =>
      verdict === null
        ? []
        : [[path, `${verdict.reason} (${formatQuantity(verdict.sampledValues, 'value')} sampled)`] as const],
    ),
    (name) => paint.dim(name),
  );
  const shown = obsColumns.slice(0, MOST_COLUMNS);
  const rest = obsColumns.length - shown.length;
  const columns = renderTable(
    [
      { title: 'OBS COLUMN' },
      { title: 'KIND' },
      { title: 'LABELS', align: 'right' },
      { title: 'MISSING', align: 'right' },
    ],
    shown.map(columnRow),
    bold,
  );
  const varNames =
    varColumns.length === 0 ? '' : `${paint.dim('var columns')}  ${varColumns.map(({ name }) => name).join(', ')}\n`;
  const found =
    problems.length === 0
      ? `${paint.green('no problems found')}\n`
      : `${paint.yellow('problems')}\n${problems.map((problem) => `- ${problem}\n`).join('')}`;
  return [
    facts,
    renderTable(MATRIX_COLUMNS, matrices.map(matrixRow), bold) + scales,
    columns + (rest > 0 ? `and ${rest} more (see --json)\n` : '') + varNames,
    renderDesign(inspection, paint),
    found,
  ].join('\n');
}
