import { exactSumExponent } from './exact-sum.js';

/** How a gene's reference is formed and which genes take part; see `logReferenceProfile`. */
export type RatioReference = 'sparse' | 'ratio' | 'poscounts' | 'pydeseq2-poscounts';

/** Logarithms of counts that occur often. */
const LOGARITHMS = Float64Array.from({ length: 4096 }, (_, count) => Math.log(count));

/** Larger than the logarithm of any count: ln(2³²) = 22.18. */
const MOST_LOG_COUNT = 22.2;

/** Natural logarithm of a count of at least 1. */
const logCount = (count: number): number => (count < LOGARITHMS.length ? LOGARITHMS[count] : Math.log(count));

/**
 * Σ log y per gene over cells, in whole numbers of a quantum that depends on the number of cells of the file alone: every
 * order and every grouping of the cells gives the same bits. The error of a mean is below the quantum, nCells · 22.2 · 2^-51:
 * 2^-33 for 10,000 cells, 2^-26 for a million.
 */
export class LogCountSums {
  private readonly quanta: number;

  /** @param sums - quanta per gene, added to in place */
  constructor(
    nCells: number,
    readonly sums: Float64Array,
  ) {
    this.quanta = 2 ** exactSumExponent(nCells * MOST_LOG_COUNT);
  }

  /** Adds the counts [begin, end) of a row; counts are at least 1. */
  add(genes: ArrayLike<number>, counts: ArrayLike<number>, begin: number, end: number): void {
    for (let i = begin; i < end; i++) this.sums[genes[i]] += Math.round(logCount(counts[i]) * this.quanta);
  }

  /** Takes out the counts [begin, end) of a row that was added. */
  subtract(genes: ArrayLike<number>, counts: ArrayLike<number>, begin: number, end: number): void {
    for (let i = begin; i < end; i++) this.sums[genes[i]] -= Math.round(logCount(counts[i]) * this.quanta);
  }

  /** Σ log y of a gene. */
  of(gene: number): number {
    return this.sums[gene] / this.quanta;
  }
}

/**
 * Logarithm of the reference profile that a method compares cells with, per gene; NaN for genes that take no part.
 *
 * `sparse`: Σ log y / cells that express the gene. `ratio`: Σ log y / n for genes expressed in all n cells. `poscounts`:
 * Σ log y / n for genes expressed in any. `pydeseq2-poscounts`: the same, for genes where it is above 0.
 *
 * @param geneCells - cells that express each gene
 * @param nCells - cells that take part
 * @source Anders and Huber 2010, equation 5 (ratio); DESeq2's estimateSizeFactors, type = "poscounts"; PyDESeq2 0.5.4
 */
export function logReferenceProfile(
  method: RatioReference,
  sums: LogCountSums,
  geneCells: ArrayLike<number>,
  nCells: number,
): Float64Array {
  const profile = new Float64Array(geneCells.length).fill(NaN);
  for (let gene = 0; gene < profile.length; gene++) {
    const cells = geneCells[gene];
    if (cells === 0 || (method === 'ratio' && cells < nCells)) continue;
    const mean = sums.of(gene) / (method === 'sparse' ? cells : nCells);
    if (method !== 'pydeseq2-poscounts' || mean > 0) profile[gene] = mean;
  }
  return profile;
}

/**
 * Median, over the genes that a cell expresses and that take part, of y / exp(profile).
 *
 * Between two middle ratios, `ratio` and `poscounts` take the geometric mean and `sparse` the arithmetic one, as their
 * models do. NaN when no gene takes part.
 */
export class MedianOfRatios {
  private readonly logRatios: Float64Array;

  constructor(
    private readonly method: RatioReference,
    private readonly profile: Float64Array,
  ) {
    this.logRatios = new Float64Array(profile.length);
  }

  /** Of the counts [begin, end) of a row; counts are at least 1 and genes do not repeat. */
  of(genes: ArrayLike<number>, counts: ArrayLike<number>, begin: number, end: number): number {
    let n = 0;
    for (let i = begin; i < end; i++) {
      const logRatio = logCount(counts[i]) - this.profile[genes[i]];
      if (!Number.isNaN(logRatio)) this.logRatios[n++] = logRatio;
    }
    if (n === 0) return NaN;
    const upper = selectNth(this.logRatios, n, n >> 1);
    if (n % 2 === 1) return Math.exp(upper);
    // Everything left of the chosen one is at most as large.
    let lower = -Infinity;
    for (let i = 0; i < n >> 1; i++) if (this.logRatios[i] > lower) lower = this.logRatios[i];
    return this.method === 'sparse' ? (Math.exp(lower) + Math.exp(upper)) / 2 : Math.exp((lower + upper) / 2);
  }
}

/**
 * The k-th smallest (from 0) of the first n values, which are reordered: those before position k are at most as large.
 *
 * @source Hoare 1961, Algorithm 65: Find, with the median of three as pivot
 */
function selectNth(values: Float64Array, n: number, k: number): number {
  let low = 0;
  let high = n - 1;
  while (low < high) {
    const pivot = medianOfThree(values[low], values[(low + high) >> 1], values[high]);
    let i = low;
    let j = high;
    while (i <= j) {
      while (values[i] < pivot) i++;
      while (values[j] > pivot) j--;
      if (i > j) break;
      const swapped = values[i];
      values[i++] = values[j];
      values[j--] = swapped;
    }
    if (k <= j) high = j;
    else if (k >= i) low = i;
    else break;
  }
  return values[k];
}

const medianOfThree = (a: number, b: number, c: number): number =>
  Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
