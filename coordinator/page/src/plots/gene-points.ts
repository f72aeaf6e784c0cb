import { chooseGenes, EMPTY_ARM_FOLD_CHANGE } from '../../../src/web/choose-genes.js';
import type { GeneColumns } from '../../../src/web/result-shapes.js';

export interface GenePoint {
  readonly gene: string;
  readonly log2FoldChange: number;
  /** −log10 p. */
  readonly significance: number;
  readonly meanExpression: number | null;
  readonly pvalue: number | null;
  readonly pvalueAdjusted: number | null;
  readonly log10Pvalue: number;
  readonly call: 'up' | 'down' | 'neutral';
}

/** Points that an SVG holds without becoming slow. */
const MAXIMUM_POINTS = 3000;

const numbers = (values: readonly (number | null)[]): number[] => values.map((value) => value ?? Number.NaN);

/** Genes to draw, strongest first. */
export function genePoints(genes: GeneColumns, alpha: number): GenePoint[] {
  const { gene, log2FoldChange, log10Pvalue, pvalue, pvalueAdjusted, meanExpression, zScore } = genes;
  const chosen = chooseGenes(
    {
      log10Pvalue: numbers(log10Pvalue),
      log2FoldChange: numbers(log2FoldChange),
      meanExpression: meanExpression && numbers(meanExpression),
    },
    MAXIMUM_POINTS,
  );
  return chosen.flatMap((at): GenePoint[] => {
    const [change, logarithm] = [log2FoldChange[at], log10Pvalue[at]];
    if (change === null || logarithm === null) return [];
    const isSignificant = (pvalueAdjusted[at] ?? 1) <= alpha;
    return [
      {
        gene: gene[at],
        log2FoldChange: change,
        significance: -logarithm,
        meanExpression: meanExpression?.[at] ?? null,
        pvalue: pvalue[at],
        pvalueAdjusted: pvalueAdjusted[at],
        log10Pvalue: logarithm,
        call: !isSignificant ? 'neutral' : (zScore[at] ?? change) < 0 ? 'down' : 'up',
      },
    ];
  });
}

/** A fold-change axis reaches at least so far. */
const LEAST_REACH = 1;

/** Half the width of a fold-change axis: all significant genes and 99% of the others are within, but for empty arms. */
export function foldChangeReach(points: readonly GenePoint[]): number {
  const sizes = points
    .map(({ log2FoldChange, call }) => ({ size: Math.abs(log2FoldChange), isSignificant: call !== 'neutral' }))
    .filter(({ size }) => size < EMPTY_ARM_FOLD_CHANGE)
    .sort((left, right) => left.size - right.size);
  const most = sizes[Math.floor(0.99 * (sizes.length - 1))]?.size ?? 0;
  const significant = sizes.findLast(({ isSignificant }) => isSignificant)?.size ?? 0;
  return 1.08 * Math.max(LEAST_REACH, most, significant);
}
