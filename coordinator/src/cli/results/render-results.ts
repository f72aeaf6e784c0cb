import type { CliOutput } from '../cli-context.js';
import { formatCount, formatNumber } from '../render/numbers.js';
import { paintFor } from '../render/paint.js';
import { renderTable } from '../render/table.js';
import type { PerturbationSummary } from './summarise-results.js';
import type { TidyRow } from './tidy-rows.js';

/** Columns of a table for people; those that the tests at hand do not have are left out. CSV and JSON have all. */
const SHOWN_VALUES = ['effect', 'logfoldchanges', 'standard_error', 'z_score', 'pvalue', 'pvalue_adj', 'pts', 'status'];

const countOrDash = (count: number): string => (Number.isNaN(count) ? '-' : formatCount(count));

/** A line for each perturbation: cells, genes tested and significant, and the strongest genes with their direction. */
export function renderSummary(
  summaries: readonly PerturbationSummary[],
  alpha: number,
  output: Pick<CliOutput, 'hasColour'>,
): string {
  const paint = paintFor(output);
  const rows = summaries.map((summary) => [
    summary.test,
    summary.perturbation,
    countOrDash(summary.cells),
    countOrDash(summary.testedGenes),
    formatCount(summary.significantGenes),
    summary.strongest
      .map(({ gene, zScore, isSignificant }) => {
        const text = `${gene}${zScore < 0 ? '↓' : '↑'}`;
        return isSignificant ? text : paint.dim(text);
      })
      .join(' '),
  ]);
  const columns = [
    { title: 'TEST' },
    { title: 'PERTURBATION' },
    { title: 'CELLS', align: 'right' },
    { title: 'TESTED', align: 'right' },
    { title: `FDR ≤ ${formatNumber(alpha)}`, align: 'right' },
    { title: 'STRONGEST GENES' },
  ] as const;
  return renderTable(columns, rows, (title) => paint.bold(title));
}

/** Tidy rows as an aligned table. */
export function renderTidyTable(rows: readonly TidyRow[], output: Pick<CliOutput, 'hasColour'>): string {
  const paint = paintFor(output);
  const shown = SHOWN_VALUES.filter((name) => rows.some(({ values }) => values.has(name)));
  const columns = [
    { title: 'TEST' },
    { title: 'PERTURBATION' },
    { title: 'GENE' },
    ...shown.map((name) => ({
      title: name.toUpperCase(),
      align: name === 'status' ? ('left' as const) : ('right' as const),
    })),
  ];
  const cell = (value: number | string | undefined): string =>
    value === undefined ? '' : typeof value === 'number' ? formatNumber(value) : value;
  const lines = rows.map(({ test, perturbation, gene, values }) => [
    test,
    perturbation,
    gene,
    ...shown.map((name) => cell(values.get(name))),
  ]);
  return renderTable(columns, lines, (title) => paint.bold(title));
}

/** One field of RFC 4180: quoted where it has a comma, a quote or a line break. */
const csvField = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text);

/** NaN is an empty field, infinities are `inf` and `-inf`, as in the files that `shardex de` writes. */
function csvValue(value: number | string | undefined): string {
  if (value === undefined || (typeof value === 'number' && Number.isNaN(value))) return '';
  if (value === Number.POSITIVE_INFINITY) return 'inf';
  if (value === Number.NEGATIVE_INFINITY) return '-inf';
  return typeof value === 'number' ? String(value) : csvField(value);
}

export const csvHeader = (names: readonly string[]): string =>
  `${['test', 'perturbation', 'gene', ...names].map(csvField).join(',')}\n`;

export const csvLine = ({ test, perturbation, gene, values }: TidyRow, names: readonly string[]): string =>
  `${[test, csvField(perturbation), csvField(gene), ...names.map((name) => csvValue(values.get(name)))].join(',')}\n`;

/** JSON has no NaN and no infinities: they are null. */
export const jsonLine = ({ test, perturbation, gene, values }: TidyRow): string =>
  JSON.stringify({ test, perturbation, gene, ...Object.fromEntries(values) });
