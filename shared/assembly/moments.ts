// Sums per gene over cells, in the order of the cells. Equations: shared/src/kernels/moment-accumulator.ts.
// sums holds 4 f64 a gene: Σ x, Σ x², Σ normalised, Σ count / size factor; side by side, so that a nonzero touches one line.

/** Counts below this are remembered within a row: a row has thousands of nonzeros but few different counts. */
const MEMO_COUNTS: u32 = 64;
/** One entry a count: x, x², normalised, count / size factor. x is 0 where nothing is remembered yet. */
const countMemo = memory.data(2048, 16);

/** Entries of the memo of real values: the value's bits and its expm1. */
const MEMO_VALUES: u32 = 64;
const valueMemo = memory.data(1024, 16);

// @ts-ignore: decorator
@inline
function add(sums: usize, nExpressing: usize, gene: u32, first: v128, second: v128): void {
  const at = sums + (<usize>gene << 5);
  v128.store(at, f64x2.add(v128.load(at), first));
  v128.store(at, f64x2.add(v128.load(at, 16), second), 16);
  const counter = nExpressing + (<usize>gene << 2);
  store<u32>(counter, load<u32>(counter) + 1);
}

/** Rows of counts: x = log(1 + scale · count / total of the row), normalised = scale · count / total. */
export function addCountMoments(
  indptr: usize, genes: usize, counts: usize, nRows: u32, totals: usize, sizeFactors: usize, scale: f64,
  sums: usize, nExpressing: usize,
): void {
  for (let row: u32 = 0; row < nRows; row++) {
    const begin = load<u32>(indptr + (<usize>row << 2));
    const end = load<u32>(indptr + (<usize>row << 2), 4);
    const total = load<f64>(totals + (<usize>row << 3));
    const sizeFactor = load<f64>(sizeFactors + (<usize>row << 3));
    memory.fill(countMemo, 0, 2048);
    for (let i = <usize>begin << 2; i < <usize>end << 2; i += 4) {
      const gene = load<u32>(genes + i);
      const count = load<u32>(counts + i);
      if (count < MEMO_COUNTS) {
        const entry = countMemo + (<usize>count << 5);
        if (load<f64>(entry) == 0) {
          const normalized = (scale * <f64>count) / total;
          const x = Math.log1p(normalized);
          store<f64>(entry, x);
          store<f64>(entry, x * x, 8);
          store<f64>(entry, normalized, 16);
          store<f64>(entry, <f64>count / sizeFactor, 24);
        }
        add(sums, nExpressing, gene, v128.load(entry), v128.load(entry, 16));
      } else {
        const normalized = (scale * <f64>count) / total;
        const x = Math.log1p(normalized);
        add(sums, nExpressing, gene, pair(x, x * x), pair(normalized, <f64>count / sizeFactor));
      }
    }
  }
}

/** The number of cells that express each gene alone, whatever the values. */
export function countExpressing(indptr: usize, genes: usize, nRows: u32, nExpressing: usize): void {
  const end = genes + (<usize>load<u32>(indptr + (<usize>nRows << 2)) << 2);
  for (let at = genes + (<usize>load<u32>(indptr) << 2); at < end; at += 4) {
    const counter = nExpressing + (<usize>load<u32>(at) << 2);
    store<u32>(counter, load<u32>(counter) + 1);
  }
}

/** Rows of given values: x = value, normalised = e^value − 1, and 0 for the scaled count. */
export function addRealMoments(
  indptr: usize, genes: usize, values: usize, nRows: u32, sums: usize, nExpressing: usize,
): void {
  memory.fill(valueMemo, 0, 1024);
  const end = <usize>load<u32>(indptr + (<usize>nRows << 2));
  for (let i = <usize>load<u32>(indptr); i < end; i++) {
    const x = load<f64>(values + (i << 3));
    const bits = reinterpret<u64>(x);
    // Fibonacci hashing: the top six bits of the product choose one of 64 entries. A value of 0 fits the cleared memo.
    const entry = valueMemo + (<usize>((bits * 0x9e3779b97f4a7c15) >> 58) << 4);
    if (load<u64>(entry) != bits) {
      store<u64>(entry, bits);
      store<f64>(entry, Math.expm1(x), 8);
    }
    add(sums, nExpressing, load<u32>(genes + (i << 2)), pair(x, x * x), pair(load<f64>(entry, 8), 0));
  }
}

// @ts-ignore: decorator
@inline
function pair(low: f64, high: f64): v128 {
  return f64x2.replace_lane(f64x2.splat(low), 1, high);
}
