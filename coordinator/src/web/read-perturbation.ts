import { statusName, type ResultFile, type ResultRows } from '../cli/index.js';
import { chooseGenes } from './choose-genes.js';
import type { GeneColumns, PerturbationResults } from './result-shapes.js';
import { PvalueTally } from './tally-pvalues.js';

/** Added to both means before their ratio is taken, as in the files. */
const PSEUDOCOUNT = 1e-9;

/** Those that are absent are done without: X is the fold change where it has no layer of its own. */
const LAYERS = [
  ...['X', 'logfoldchanges', 'z_score', 'pvalue', 'log10_pvalue', 'pvalue_adj'],
  ...['pts', 'pts_rest', 'reference_mean', 'mean', 'status'],
];

/**
 * One perturbation of a result file, for plots and a table.
 *
 * @param limit - genes to give at most, chosen so that plots keep their shape; null: every gene, in the order of the file
 * @throws InvalidInputError when the perturbation was not tested
 */
export type ReadPerturbation = (perturbation: string, limit: number | null) => Promise<PerturbationResults>;

/** Opens what all perturbations of a file need: reading one then costs its own rows only. */
export async function openPerturbations(file: ResultFile): Promise<ReadPerturbation> {
  const layers = await file.openLayers(LAYERS.filter((name) => file.layers.includes(name)));
  return async (perturbation, limit) => {
    const row = file.rowOf(perturbation);
    return assemble(file, perturbation, await file.readRows(layers, row, row + 1), limit);
  };
}

function assemble(file: ResultFile, perturbation: string, rows: ResultRows, limit: number | null): PerturbationResults {
  const { genes: geneNames } = file;
  const layer = (name: string): Float64Array => rows.get(name) ?? new Float64Array(geneNames.length).fill(Number.NaN);
  const log2FoldChange = layer(rows.has('logfoldchanges') ? 'logfoldchanges' : 'X');
  const [pvalue, log10Pvalue] = [layer('pvalue'), layer('log10_pvalue')];
  const meanExpression = meanOfArms(file, rows, log2FoldChange);
  const tally = new PvalueTally();
  for (let gene = 0; gene < geneNames.length; gene++) tally.add(pvalue[gene], log10Pvalue[gene]);
  const calibration = tally.finish();
  const chosen =
    limit === null
      ? geneNames.map((_, gene) => gene)
      : chooseGenes({ log10Pvalue, log2FoldChange, meanExpression }, limit);
  const ptsRest = rows.get('pts_rest') ?? file.ofControl('pts_rest');
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
  return { test: file.test, perturbation, calibration, testedGenes: calibration.tested, genesLeftOut, genes };
}

/** Mean of the two arms' mean expression, in the unit of the file; null where the control's is not in it. */
function meanOfArms(file: ResultFile, rows: ResultRows, log2FoldChange: Float64Array): Float64Array | null {
  const reference = rows.get('reference_mean') ?? file.ofControl('control_mean');
  if (reference === null) return null;
  const perturbed = rows.get('mean');
  return reference.map((mean, gene) => {
    const other = perturbed?.[gene] ?? (mean + PSEUDOCOUNT) * 2 ** log2FoldChange[gene] - PSEUDOCOUNT;
    return (mean + other) / 2;
  });
}

const rounded = (value: number, digits: number): number | null =>
  Number.isFinite(value) ? Number(value.toPrecision(digits)) : null;
