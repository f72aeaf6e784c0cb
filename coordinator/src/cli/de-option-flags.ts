import type { Command } from 'commander';
import { isAbsolute, resolve } from 'node:path';
import type { DeFlags, DeParameters } from '@shardex/shared/config';

/** Adds the options that say what to compute, for `de` and `plan`. */
export function addDeOptions(command: Command): void {
  command
    .optionsGroup('Design:')
    .option('--perturbation-column <NAME>', 'column of obs with the perturbations (default: detected, and said)')
    .option('--control-label <NAME>', 'label of the control cells (default: detected, and said)')
    .option('--perturbations <A,B,…>', 'test these only; cells of others are left out (default: all)')
    .optionsGroup('Input:')
    .option('--layer <NAME>', 'read layers/NAME, or raw/X, instead of X')
    .option('--input-scale <counts|log1p>', 'what the values are (default: validated to be counts)')
    .option('--min-genes <N>', 'keep cells with at least N expressed genes (default: 0)')
    .option('--min-cells-per-perturbation <N>', 'keep perturbations with at least N kept cells (default: 0)')
    .option('--min-cells-per-gene <N>', 'test genes expressed in at least N kept cells (default: 0)')
    .optionsGroup('Genes of a comparison:')
    .option('--min-cells-expressed <N>', 'test genes expressed in at least N cells of both arms (default: 0)')
    .option('--min-total-count <N>', 'test genes with at least N counts in both arms (default: 0)')
    .option(
      '--min-nonzero <N>',
      "test genes expressed in at least N cells of each arm; sceptre's rule is 7 (default: 0)",
    )
    .option(
      '--low-expression-filter',
      "leave out genes that are low in both arms by crispyx's thresholds (default: no)",
    )
    .option('--cooks-filter', "nb-glm: leave out genes with an outlier by Cook's distance (default: no)")
    .optionsGroup('Tests:')
    .option('--tests <A,B,…>', 'nb-glm, wilcoxon, t-test (default: all three; without nb-glm for log1p input)')
    .option('--preset <PEER>', 'start from the defaults of crispyx, pydeseq2 or scanpy')
    .option('--reference <WHAT>', 'compare with control, rest or other-perturbed (default: control)')
    .option('--covariates <A,B,…>', 'nb-glm: columns of obs that enter the model additively')
    .option('--batch-column <NAME>', 'wilcoxon: strata; nb-glm: a categorical covariate')
    .option('--batch-weights <WEIGHTS>', 'wilcoxon: van-elteren or unit weights of strata (default: van-elteren)')
    .option(
      '--size-factors <METHOD>',
      'total, sparse, ratio, poscounts, pydeseq2-poscounts, or obs:NAME, a column of obs (default: total)',
    )
    .option('--size-factor-scope <SCOPE>', 'global, or per-comparison as PyDESeq2 has it (default: global)')
    .option('--no-scale-size-factors', "keep the method's own scale (default: geometric mean 1)")
    .option('--dispersion <VALUE>', 'nb-glm: one dispersion for every gene (default: estimated)')
    .option('--dispersion-scope <SCOPE>', 'nb-glm: from global, per-comparison or control cells (default: global)')
    .option('--dispersion-estimator <WHICH>', 'nb-glm: map, gene-wise, trend, moments or crispyx (default: map)')
    .option('--min-mu <VALUE>', 'nb-glm: least mean of a cell; PyDESeq2 and crispyx have 0.5 (default: 0, exact)')
    .option('--nb-test <lrt|wald>', 'nb-glm: likelihood ratio or Wald test (default: lrt)')
    .option('--wald-reference <normal|t>', 'nb-glm: distribution of the Wald statistic (default: normal)')
    .option('--se <fisher|robust>', 'nb-glm: also Huber–White standard errors, which Wald then uses (default: fisher)')
    .option('--cooks', "nb-glm: a layer with each gene's largest Cook's distance (default: no)")
    .option('--shrink <none|apeglm>', 'nb-glm: shrunken fold changes in layers of their own (default: none)')
    .option(
      '--shrink-prior <SCOPE>',
      "nb-glm: scale of apeGLM's prior, per-comparison or global (default: per-comparison)",
    )
    .option('--tie-correct', 'wilcoxon: correct the variance for ties (default)')
    .option('--no-tie-correct', 'wilcoxon: do not')
    .option('--continuity', 'wilcoxon: continuity correction of one half (default: no)')
    .option(
      '--rank-precision <exact|float32>',
      "wilcoxon: rank exact ratios or scanpy's float32 values (default: exact)",
    )
    .option('--t-test <VARIANT>', 't-test: welch, student or overestimated-variance (default: welch)')
    .option('--correction <bh|bonferroni>', 'adjustment of p-values (default: bh)')
    .option('--alpha <LEVEL>', 'significance level of the summaries; changes no p-value (default: 0.05)')
    .optionsGroup('Output:')
    .option('--out <DIR>', 'folder for the results, made if it is not there, or s3://BUCKET/PREFIX')
    .option('--format <A,B,…>', 'h5ad, csv, parquet (default: h5ad)')
    .option('--layers <default|crispyx>', "also write crispyx's further layers under its names (default: default)")
    .option('--scanpy', 'also write uns/rank_genes_groups as scanpy does')
    .option('--scratch <DIR>', 'folder or s3://… for intermediate files (default: a hidden one in --out)');
}

/** Adds the options that say how many processes compute it. */
export function addClusterOptions(command: Command): void {
  command
    .optionsGroup('Running:')
    .option('--workers <N>', 'worker processes (default: usable cores)')
    .option('--memory <SIZE>', 'memory of each worker, as 4GiB (default: its part of 60% of the memory, at most 4GiB)');
}

/** A path as other processes find it: relative ones from `folder`; addresses as `s3://…` stay as they are. */
export const absolutePath = (folder: string, path: string): string =>
  /^[a-z][a-z0-9+.-]*:\/\//i.test(path) || isAbsolute(path) ? path : resolve(folder, path);

/** The same parameters with absolute paths. */
export function withAbsolutePaths(parameters: DeParameters, folder: string): DeParameters {
  const { input, output, scratch } = parameters;
  return {
    ...parameters,
    input: absolutePath(folder, input),
    output: absolutePath(folder, output),
    scratch: scratch === null ? null : absolutePath(folder, scratch),
  };
}

export type { DeFlags };
