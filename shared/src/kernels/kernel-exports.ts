/**
 * The functions of shared/assembly, as the host calls them. Every argument and result is a number; an argument named
 * after an array is the array's address in the heap (`view.byteOffset`), never an object. Kernels neither allocate nor
 * check bounds: the wrappers beside this file do both. A u32 result arrives as a signed number: apply `>>> 0`.
 */
export interface KernelExports {
  heapBase(): number;
  zeroBytes(target: number, bytes: number): void;

  weightedRowSums(values: number, nRows: number, nNodes: number, weights: number, target: number): void;

  encodeCountRows32(
    indptr: number,
    genes: number,
    values: number,
    nRows: number,
    rowGroups: number,
    least: number,
    target: number,
    totals: number,
    rowBytes: number,
    geneTotals: number,
    geneCells: number,
  ): number;
  encodeCountRows64(
    indptr: number,
    genes: number,
    values: number,
    nRows: number,
    rowGroups: number,
    least: number,
    target: number,
    totals: number,
    rowBytes: number,
    geneTotals: number,
    geneCells: number,
  ): number;
  encodeRealRows(
    indptr: number,
    genes: number,
    values: number,
    nRows: number,
    rowGroups: number,
    least: number,
    target: number,
    totals: number,
    rowBytes: number,
    geneCells: number,
  ): number;
  firstIrregularRow32(indptr: number, columns: number, values: number, nRows: number, nColumns: number): number;
  firstIrregularRow64(indptr: number, columns: number, values: number, nRows: number, nColumns: number): number;
  copyRows(source: number, offsets: number, order: number, n: number, target: number): void;

  decodeCountRows(
    source: number,
    rowOffsets: number,
    nRows: number,
    geneBegin: number,
    geneEnd: number,
    indptr: number,
    genes: number,
    counts: number,
  ): number;
  decodeRealRows(
    source: number,
    rowOffsets: number,
    nRows: number,
    geneBegin: number,
    geneEnd: number,
    indptr: number,
    genes: number,
    values: number,
  ): number;
  scatterCountKeys(
    indptr: number,
    genes: number,
    counts: number,
    nRows: number,
    totals: number,
    cursors: number,
    keys: number,
  ): void;
  scatterRealKeys(indptr: number, genes: number, values: number, nRows: number, cursors: number, keys: number): void;

  accumulateMeasures(
    indptr: number,
    genes: number,
    counts: number,
    nRows: number,
    weights: number,
    nNodes: number,
    S: number,
    sumCounts: number,
  ): void;
  accumulateSquares(
    indptr: number,
    genes: number,
    counts: number,
    nRows: number,
    weights: number,
    nNodes: number,
    Q: number,
  ): void;
  countCounts(
    indptr: number,
    genes: number,
    counts: number,
    nRows: number,
    nGenes: number,
    cursors: number,
    dense: number,
    large: number,
    room: number,
  ): number;
  log1pArray(x: number, out: number, n: number): void;
  fitIntercepts(
    nGenes: number,
    nNodes: number,
    S: number,
    N: number,
    nodeSizeFactors: number,
    dispersions: number,
    totals: number,
    tolerance: number,
    scratch: number,
    eta: number,
    mean: number,
    fisher: number,
    observed: number,
    iterations: number,
    flags: number,
  ): void;
  likelihoodRatios(
    nGenes: number,
    nNodes: number,
    nodeSizeFactors: number,
    dispersions: number,
    controlS: number,
    controlN: number,
    controlTotals: number,
    controlEta: number,
    controlMean: number,
    perturbationS: number,
    perturbationN: number,
    perturbationTotals: number,
    perturbationEta: number,
    perturbationMean: number,
    scratch: number,
    tolerance: number,
    statistic: number,
    pooledEta: number,
    pooledConverged: number,
  ): void;
  shrinkGenes(
    nGenes: number,
    nNodes: number,
    nodeSizeFactors: number,
    dispersions: number,
    controlS: number,
    controlN: number,
    controlTotals: number,
    controlEta: number,
    perturbationS: number,
    perturbationN: number,
    perturbationTotals: number,
    start: number,
    priorScale: number,
    interceptScale: number,
    tolerance: number,
    beta: number,
    variance: number,
    intercepts: number,
    iterations: number,
    flags: number,
  ): void;
  addProfileGrid(
    nGenes: number,
    nNodes: number,
    S: number,
    N: number,
    nodeSizeFactors: number,
    totals: number,
    order: number,
    nAlphas: number,
    alphas: number,
    predictors: number,
    openers: number,
    series: number,
    scales: number,
    scratch: number,
    sums: number,
  ): number;
  profileScratchBytes(nNodes: number, nAlphas: number): number;
  addI64(target: number, values: number, n: number): void;
  addU32(target: number, values: number, n: number): void;
  profileSlopes(
    nGenes: number,
    nAlphas: number,
    sums: number,
    quanta: number,
    totals: number,
    dense: number,
    large: number,
    nLarge: number,
    table: number,
    inverses: number,
    slopes: number,
  ): void;
  profileMaxima(
    nGenes: number,
    nAlphas: number,
    slopes: number,
    totals: number,
    means: number,
    variance: number,
    bounded: number,
    nodes: number,
    barycentric: number,
    ratios: number,
    ys: number,
    bells: number,
    middle: number,
    scale: number,
    evenness: number,
    logBend: number,
    locality: number,
    scratch: number,
    logAlphas: number,
  ): void;

  sortSegments(keys: number, offsets: number, nSegments: number, scratch: number): void;
  tieTerms(keys: number, offsets: number, nSegments: number, ties: number): void;
  rankSums(
    nGenes: number,
    controlKeys: number,
    controlOffsets: number,
    controlTies: number,
    nControl: number,
    nGroups: number,
    groupKeys: number,
    groupOffsets: number,
    groupSizes: number,
    tieCorrect: number,
    continuity: number,
    scratch: number,
    places: number,
    starts: number,
    u: number,
    z: number,
    tieSums: number,
  ): void;

  sortGroupedSegments(
    keys: number,
    groups: number,
    offsets: number,
    nSegments: number,
    scratchKeys: number,
    scratchGroups: number,
  ): void;
  rankSumsOfRest(
    nGenes: number,
    keys: number,
    groups: number,
    offsets: number,
    nGroups: number,
    sizes: number,
    nCells: number,
    tieCorrect: number,
    continuity: number,
    above: number,
    nonzeros: number,
    u: number,
    z: number,
    tieSums: number,
  ): void;
  scatterScanpyKeys(
    indptr: number,
    genes: number,
    counts: number,
    nRows: number,
    totals: number,
    scale: number,
    cursors: number,
    keys: number,
  ): void;

  addCountMoments(
    indptr: number,
    genes: number,
    counts: number,
    nRows: number,
    totals: number,
    sizeFactors: number,
    scale: number,
    sums: number,
    nExpressing: number,
  ): void;
  countExpressing(indptr: number, genes: number, nRows: number, nExpressing: number): void;
  addRealMoments(indptr: number, genes: number, values: number, nRows: number, sums: number, nExpressing: number): void;
}
