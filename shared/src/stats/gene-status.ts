/** What became of one test of one gene, stored as one byte in the results. */
export const GeneStatus = {
  tested: 0,
  notConverged: 1,
  emptyPerturbedArm: 2,
  emptyControlArm: 3,
  allZero: 4,
  filteredLowCells: 5,
  tooFewCells: 6,
  zeroVariance: 7,
  filteredLowExpression: 8,
  filteredLowTotal: 9,
  filteredFewNonzero: 10,
  cooksOutlier: 11,
  collinearDesign: 12,
} as const;
export type GeneStatus = (typeof GeneStatus)[keyof typeof GeneStatus];

/** The legend that accompanies the codes in every output; position = code. */
export const GENE_STATUS_LEGEND: readonly { readonly name: string; readonly meaning: string }[] = [
  { name: 'tested', meaning: 'tested; every number is valid' },
  { name: 'not-converged', meaning: 'the fit did not reach its tolerance; the numbers are its last step' },
  {
    name: 'empty-perturbed-arm',
    meaning:
      'no count in the perturbed cells; the fold change is the bias-reduced estimate, the p-value that of the ' +
      'likelihood-ratio test (NaN under Wald)',
  },
  {
    name: 'empty-control-arm',
    meaning:
      'no count in the control cells; the fold change is the bias-reduced estimate, the p-value that of the ' +
      'likelihood-ratio test (NaN under Wald)',
  },
  { name: 'all-zero', meaning: 'no count in the perturbed and the control cells; nothing to test' },
  { name: 'filtered-low-cells', meaning: 'left out: expressed in fewer cells than the gene filter asks for' },
  { name: 'too-few-cells', meaning: 'an arm has too few cells for this test' },
  { name: 'zero-variance', meaning: 'every cell has the same value; nothing to test' },
  {
    name: 'filtered-low-expression',
    meaning: 'left out: share of expressing cells and mean are below the thresholds in both arms',
  },
  { name: 'filtered-low-total', meaning: 'left out: fewer counts in both arms together than the filter asks for' },
  { name: 'filtered-few-nonzero', meaning: 'left out: an arm has fewer cells with a count than the filter asks for' },
  {
    name: 'cooks-outlier',
    meaning: 'no p-value: one cell decides the fit, its Cook’s distance beyond the 99% quantile of F',
  },
  {
    name: 'collinear-design',
    meaning: 'the covariates tell perturbed from control cells without fail, so their effects cannot be told apart',
  },
];
