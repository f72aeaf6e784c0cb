import type { GeneColumns } from '../../src/web/result-shapes.js';
import { element } from './element.js';
import { formatNumber, formatPvalue } from './numbers.js';

/** Rows shown at a time: more make no page faster to read. */
const PAGE_ROWS = 25;

interface Column {
  readonly title: string;
  readonly isNumber: boolean;
  /** What the column is sorted by; null comes last. */
  readonly value: (row: number) => number | string | null;
  readonly text: (row: number) => string;
}

const EFFECT_TITLES: Readonly<Record<string, string>> = { auc: 'AUC', mean_difference: 'mean difference' };

function columnsOf(genes: GeneColumns, effect: string): Column[] {
  const numeric = (title: string, values: readonly (number | null)[] | null): Column[] =>
    values === null
      ? []
      : [{ title, isNumber: true, value: (row) => values[row], text: (row) => formatNumber(values[row]) }];
  const word = (title: string, values: readonly string[]): Column => ({
    title,
    isNumber: false,
    value: (row) => values[row],
    text: (row) => values[row],
  });
  const { pvalue, log10Pvalue } = genes;
  return [
    word('gene', genes.gene),
    ...numeric('log2 fold change', genes.log2FoldChange),
    ...numeric(EFFECT_TITLES[effect] ?? effect, genes.effect),
    ...numeric('z', genes.zScore),
    // Sorted by the logarithm, which tells apart what is 0 as a double.
    {
      title: 'p',
      isNumber: true,
      value: (row) => log10Pvalue[row],
      text: (row) => formatPvalue(pvalue[row], log10Pvalue[row]),
    },
    ...numeric('adjusted p', genes.pvalueAdjusted),
    ...numeric('mean', genes.meanExpression),
    ...numeric('share of cells', genes.pts),
    ...numeric('share of control', genes.ptsRest),
    word('status', genes.status),
  ];
}

export interface GeneTableParts {
  readonly genes: GeneColumns;
  readonly effect: string;
  readonly caption: string;
  /** Where all genes can be downloaded; null: what is here is made into a file. */
  readonly download: string | null;
  readonly fileName: string;
}

/** Genes with search, sorting by any column, pages, and a download. */
export function geneTable({ genes, effect, caption, download, fileName }: GeneTableParts): HTMLElement {
  const columns = columnsOf(genes, effect);
  const state = { query: '', sortBy: columns.findIndex(({ title }) => title === 'p'), ascending: true, page: 0 };
  const body = element('tbody');
  const place = element('span', { 'aria-live': 'polite' });
  const buttons = columns.map((column, at) =>
    element('button', { type: 'button', click: () => sortBy(at) }, column.title),
  );
  const headings = columns.map(({ isNumber }, at) =>
    element('th', { scope: 'col', class: isNumber ? 'number' : '' }, buttons[at]),
  );
  const previous = element('button', { type: 'button', click: () => turn(-1) }, 'Previous');
  const next = element('button', { type: 'button', click: () => turn(1) }, 'Next');

  const matching = (): number[] => {
    const query = state.query.toLowerCase();
    const rows = genes.gene.flatMap((gene, row) => (gene.toLowerCase().includes(query) ? [row] : []));
    const { value } = columns[state.sortBy];
    return rows.sort((left, right) => compare(value(left), value(right), state.ascending) || left - right);
  };
  const show = (): void => {
    const rows = matching();
    const pages = Math.max(1, Math.ceil(rows.length / PAGE_ROWS));
    state.page = Math.min(Math.max(0, state.page), pages - 1);
    const begin = state.page * PAGE_ROWS;
    const shown = rows.slice(begin, begin + PAGE_ROWS);
    body.replaceChildren(
      ...shown.map((row) =>
        element('tr', {}, ...columns.map((column) => element('td', numberClass(column), column.text(row)))),
      ),
    );
    const range = rows.length === 0 ? 'no gene' : `${begin + 1}–${begin + shown.length} of ${rows.length}`;
    place.textContent = range;
    previous.disabled = state.page === 0;
    next.disabled = state.page === pages - 1;
    headings.forEach((heading, at) =>
      heading.setAttribute('aria-sort', at !== state.sortBy ? 'none' : state.ascending ? 'ascending' : 'descending'),
    );
  };
  const sortBy = (at: number): void => {
    state.ascending = at === state.sortBy ? !state.ascending : true;
    state.sortBy = at;
    state.page = 0;
    show();
  };
  const turn = (pages: number): void => {
    state.page += pages;
    show();
  };
  const search = element('input', {
    type: 'search',
    placeholder: 'gene',
    input: () => {
      state.query = search.value.trim();
      state.page = 0;
      show();
    },
  });
  const href = download ?? URL.createObjectURL(new Blob([csvOf(genes)], { type: 'text/csv' }));
  show();
  return element(
    'div',
    { class: 'genes' },
    element(
      'div',
      { class: 'toolbar' },
      element('label', {}, 'Search ', search),
      element('span', { class: 'spread' }),
      element('a', { href, download: fileName, class: 'button' }, 'Download CSV'),
    ),
    element(
      'div',
      { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': caption },
      element('table', {}, element('caption', {}, caption), element('thead', {}, element('tr', {}, ...headings)), body),
    ),
    element('div', { class: 'toolbar' }, previous, next, place),
  );
}

const numberClass = ({ isNumber }: Column): Record<string, string> => (isNumber ? { class: 'number' } : {});

function compare(left: number | string | null, right: number | string | null, ascending: boolean): number {
  if (left === null || right === null) return Number(left === null) - Number(right === null);
  const order =
    typeof left === 'number' && typeof right === 'number' ? left - right : String(left).localeCompare(String(right));
  return ascending ? order : -order;
}

const csvField = (value: string): string => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);

/** Columns under the names that `shardex results --format csv` gives them. */
function csvOf(genes: GeneColumns): string {
  const columns: readonly (readonly [string, readonly (number | string | null)[] | null])[] = [
    ['gene', genes.gene],
    ['log2_fold_change', genes.log2FoldChange],
    ['effect', genes.effect],
    ['z_score', genes.zScore],
    ['pvalue', genes.pvalue],
    ['log10_pvalue', genes.log10Pvalue],
    ['pvalue_adj', genes.pvalueAdjusted],
    ['mean_expression', genes.meanExpression],
    ['pts', genes.pts],
    ['pts_rest', genes.ptsRest],
    ['status', genes.status],
  ];
  const present = columns.filter(
    (column): column is [string, readonly (number | string | null)[]] => column[1] !== null,
  );
  const lines = genes.gene.map((_, row) => present.map(([, values]) => csvField(String(values[row] ?? ''))).join(','));
  return `${[present.map(([name]) => name).join(','), ...lines].join('\n')}\n`;
}
