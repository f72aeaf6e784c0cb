// Rank keys as scanpy's float32 normalisation orders the cells. Equation: shared/src/kernels/rank-sum-keys.ts.

/** Counts below this are remembered within a row: a row has thousands of nonzeros but few different counts. */
const MEMO_COUNTS: u32 = 64;
/** One f64 a count; 0 where nothing is remembered yet. */
const keyMemo = memory.data(512, 16);

/** The double logarithm rounded to float32, of counts divided in float32 as well. */
// @ts-ignore: decorator
@inline
function scanpyKey(count: u32, divisor: f32): f64 {
  return <f64><f32>Math.log1p(<f64>(<f32>count / divisor));
}

/** keys[cursors[gene]++] = key of the count, row by row; totals are float64 sums, scale is the counts per cell aimed at. */
export function scatterScanpyKeys(
  indptr: usize, genes: usize, counts: usize, nRows: u32, totals: usize, scale: f64, cursors: usize, keys: usize,
): void {
  for (let row: u32 = 0; row < nRows; row++) {
    const begin = load<u32>(indptr + (<usize>row << 2));
    const end = load<u32>(indptr + (<usize>(row + 1) << 2));
    const divisor = <f32>load<f64>(totals + (<usize>row << 3)) / <f32>scale;
    memory.fill(keyMemo, 0, 512);
    for (let i = begin; i < end; i++) {
      const cursor = cursors + (<usize>load<u32>(genes + (<usize>i << 2)) << 2);
      const slot = load<u32>(cursor);
      store<u32>(cursor, slot + 1);
      const count = load<u32>(counts + (<usize>i << 2));
      let key: f64;
      if (count < MEMO_COUNTS) {
        const entry = keyMemo + (<usize>count << 3);
        key = load<f64>(entry);
        if (key == 0) {
          key = scanpyKey(count, divisor);
          store<f64>(entry, key);
        }
      } else key = scanpyKey(count, divisor);
      store<f64>(keys + (<usize>slot << 3), key);
    }
  }
}
