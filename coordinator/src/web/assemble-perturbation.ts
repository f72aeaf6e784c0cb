import type { TestName } from '@shardex/shared/config';
import { statusName, type ResultRows } from '../cli/index.js';
import { chooseGenes } from './choose-genes.js';
import type { GeneColumns, PerturbationResults } from './result-shapes.js';
import { PvalueTally } from './tally-pvalues.js';

/** Added to both means before their ratio is taken, as in the files. */
const PSEUDOCOUNT = 1e-9;

/** Layers that plots and table are made of. Those that are absent are done without: X is the fold change where it has none. */
export const SHOWN_LAYERS = [
  ...['X', 'logfoldchanges', 'z_score', 'pvalue', 'log10_pvalue', 'pvalue_adj'],
  ...['pts', 'pts_rest', 'reference_mean', 'mean', 'status'],
];

/** Where a perturbation's rows come from: a result file, or what a running job has left so far. */
export interface RowsSource {
  readonly test: TestName;
  readonly genes: readonly string[];
  /** Of the control, one entry per gene; null where perturbations do not share it. */
  ofControl(name: 'control_mean' | 'pts_rest'): Float64Array | null;
}

/** @param limit - genes to give at most, chosen so that plots keep their shape; null: every gene, in their order */
export function assemblePerturbation(
  source: RowsSource,
  perturbation: string,
  rows: ResultRows,
  limit: number | null,
): PerturbationResults {
  const { genes: geneNames } = source;
  const layer = (name: string): Float64Array => rows.get(name) ?? new Float64Array(geneNames.length).fill(Number.NaN);
  const log2FoldChange = layer(rows.has('logfoldchanges') ? 'logfoldchanges' : 'X');
  const [pvalue, log10Pvalue] = [layer('pvalue'), layer('log10_pvalue')];
  const meanExpression = meanOfArms(source, rows, log2FoldChange);
  const tally = new PvalueTally();
  for (let gene = 0; gene < geneNames.length; gene++) tally.add(pvalue[gene], log10Pvalue[gene]);
  const calibration = tally.finish();
  const chosen =
    limit === null
      ? geneNames.map((_, gene) => gene)
      : chooseGenes({ log10Pvalue, log2FoldChange, meanExpression }, limit);
  const ptsRest = rows.get('pts_rest') ?? source.ofControl('pts_rest');
  const pick = (values: ArrayLike<number>, digits = 4): (number | null)[] =>
    chosen.map((gene) => rounded(values[gene], digits));
  const genes: GeneColumns = {
    gene: chosen.map((gene) => geneNames[gene]),
    log2FoldChange: pick(log2FoldChange),
    effect: rows.has('logfoldchanges') ? pick(layer('X')) : null,
    zScore: pick(layer('z_score')),
    pvalue: pick(pvalue),
    log10Pvalue: pick(log10Pvalue, 5),
    pvalueAdjusted: pick(layer('pvalue_adj')),
    meanExpression: meanExpression && pick(meanExpression),
    pts: pick(layer('pts')),
    ptsRest: ptsRest && pick(ptsRest),
    status: chosen.map((gene) => statusName(layer('status')[gene])),
  };
  const genesLeftOut = geneNames.length - chosen.length;
  return { test: source.test, perturbation, calibration, testedGenes: calibration.tested, genesLeftOut, genes };
}

/** Mean of the two arms' mean expression, in the unit of the results; null where the control's is not known. */
function meanOfArms(source: RowsSource, rows: ResultRows, log2FoldChange: Float64Array): Float64Array | null {
  const reference = rows.get('reference_mean') ?? source.ofControl('control_mean');
  if (reference === null) return null;
  const perturbed = rows.get('mean');
  return reference.map((mean, gene) => {
    const other = perturbed?.[gene] ?? (mean + PSEUDOCOUNT) * 2 ** log2FoldChange[gene] - PSEUDOCOUNT;
    return (mean + other) / 2;
  });
}

const rounded = (value: number, digits: number): number | null =>
  Number.isFinite(value) ? Number(value.toPrecision(digits)) : null;
