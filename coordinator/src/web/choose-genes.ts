/** What decides whether a gene is drawn: parallel arrays, NaN where there is no number. */
export interface GenePlaces {
  readonly log10Pvalue: ArrayLike<number>;
  readonly log2FoldChange: ArrayLike<number>;
  /** null where the expression of the control is not known. */
  readonly meanExpression: ArrayLike<number> | null;
}

/**
 * Size of a log2 fold change that says no more than that one arm has no counts: with 10⁻⁹ added to both means it is above 20
 * then, and 2¹⁵ is beyond what a cell can tell.
 */
export const EMPTY_ARM_FOLD_CHANGE = 15;

/** Cells of the grid along an axis of a plot. */
const GRID = 48;

/**
 * Chooses the genes that stand for all of them in a volcano and an MA plot: half of `limit` are those of smallest p-value;
 * then, in order of p-value, each that would be alone in its cell of a 48 × 48 grid over either plot; then the next
 * smallest. Equal input gives an equal choice.
 *
 * @returns positions of tested genes by ascending p-value, at most `limit`
 */
export function chooseGenes(places: GenePlaces, limit: number): number[] {
  const { log10Pvalue, log2FoldChange, meanExpression } = places;
  const tested = Array.from({ length: log10Pvalue.length }, (_, gene) => gene).filter(
    (gene) => !Number.isNaN(log10Pvalue[gene]),
  );
  tested.sort((left, right) => log10Pvalue[left] - log10Pvalue[right] || left - right);
  if (tested.length <= limit) return tested;
  const strongest = Math.floor(limit / 2);
  const rest = tested.slice(strongest);
  const foldChange = gridOf(rest, (gene) => log2FoldChange[gene], EMPTY_ARM_FOLD_CHANGE);
  const significance = gridOf(rest, (gene) => log10Pvalue[gene]);
  const expression =
    meanExpression === null ? () => 0 : gridOf(rest, (gene) => Math.log(Math.max(meanExpression[gene], 1e-9)));
  const taken = new Set<number>();
  const isAlone = (gene: number): boolean => {
    const column = foldChange(gene);
    const cells = [column * GRID + significance(gene), GRID * GRID + column * GRID + expression(gene)];
    const alone = cells.some((cell) => !taken.has(cell));
    for (const cell of cells) taken.add(cell);
    return alone;
  };
  const chosen = new Set([...tested.slice(0, strongest), ...rest.filter(isAlone).slice(0, limit - strongest)]);
  for (const gene of rest) {
    if (chosen.size >= limit) break;
    chosen.add(gene);
  }
  return tested.filter((gene) => chosen.has(gene));
}

/** The cell of a gene along one axis, over the values of `genes` of a size below `bound`; what is beyond is at the ends. */
function gridOf(
  genes: readonly number[],
  valueOf: (gene: number) => number,
  bound = Number.POSITIVE_INFINITY,
): (gene: number) => number {
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const gene of genes) {
    const value = valueOf(gene);
    if (!(Math.abs(value) < bound)) continue;
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  const scale = most > least ? (GRID - 1) / (most - least) : 0;
  return (gene) => {
    const value = valueOf(gene);
    return Number.isNaN(value) ? 0 : Math.round((Math.min(most, Math.max(least, value)) - least) * scale);
  };
}
