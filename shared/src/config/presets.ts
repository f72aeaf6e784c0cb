import type { DeParameters, Preset } from './de-parameters.js';

/**
 * The options in which a peer's defaults differ from ours. What remains different is listed in docs/presets.md.
 *
 * @source crispyx 0.2.2 (`nb_glm_test`, `wilcoxon_test`, `t_test`), PyDESeq2 0.5.4 (`DeseqDataSet`, `DeseqStats`), scanpy 1.11.5
 *   (`rank_genes_groups`): the defaults of their signatures
 */
export const PRESET_PARAMETERS: Readonly<Record<Preset, Partial<DeParameters>>> = {
  crispyx: {
    sizeFactors: 'sparse',
    dispersionEstimator: 'crispyx',
    minMu: 0.5,
    nbTest: 'wald',
    minTotalCount: 1,
    lowExpressionFilter: true,
    layers: 'crispyx',
  },
  pydeseq2: {
    tests: ['nb-glm'],
    sizeFactors: 'pydeseq2-poscounts',
    sizeFactorScope: 'per-comparison',
    dispersionScope: 'per-comparison',
    minMu: 0.5,
    nbTest: 'wald',
    minTotalCount: 1,
    cooksFilter: true,
  },
  scanpy: {
    tests: ['wilcoxon', 't-test'],
    reference: 'rest',
    tieCorrect: false,
    rankPrecision: 'float32',
    scanpy: true,
  },
};
