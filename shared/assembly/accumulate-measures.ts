// Compressed measures: S[j,k] += y_ij · l_k(log s_i) over the nonzeros of a block of rows.

/** Four vectors of a gene's row of S, eight nodes. */
// @ts-ignore: decorator
@inline
function addEight(sums: usize, weights: usize, y: v128): void {
  v128.store(sums, f64x2.add(v128.load(sums), f64x2.mul(y, v128.load(weights))));
  v128.store(sums, f64x2.add(v128.load(sums, 16), f64x2.mul(y, v128.load(weights, 16))), 16);
  v128.store(sums, f64x2.add(v128.load(sums, 32), f64x2.mul(y, v128.load(weights, 32))), 32);
  v128.store(sums, f64x2.add(v128.load(sums, 48), f64x2.mul(y, v128.load(weights, 48))), 48);
}

/** Adds y times a row's basis to a gene's sums; K is even. */
// @ts-ignore: decorator
@inline
function addNodes(sums: usize, weights: usize, y: v128, K: u32): void {
  let left = K;
  for (; left >= 8; left -= 8, sums += 64, weights += 64) addEight(sums, weights, y);
  if (left & 4) {
    v128.store(sums, f64x2.add(v128.load(sums), f64x2.mul(y, v128.load(weights))));
    v128.store(sums, f64x2.add(v128.load(sums, 16), f64x2.mul(y, v128.load(weights, 16))), 16);
    sums += 32;
    weights += 32;
  }
  if (left & 2) v128.store(sums, f64x2.add(v128.load(sums), f64x2.mul(y, v128.load(weights))));
}

/**
 * Adds rows, strictly in order, to S (f64, nGenes × K, gene-major), and to the exact sums of counts (f64).
 * weights: f64, nRows × K, the Lagrange basis of each row. K is even.
 */
export function accumulateMeasures(
  indptr: usize, genes: usize, counts: usize, nRows: u32, weights: usize, K: u32,
  S: usize, sumCounts: usize,
): void {
  const rowBytes = <usize>K << 3;
  for (let row: u32 = 0; row < nRows; row++) {
    const begin = load<u32>(indptr + (<usize>row << 2));
    const end = load<u32>(indptr + (<usize>(row + 1) << 2));
    const w = weights + <usize>row * rowBytes;
    for (let i = begin; i < end; i++) {
      const gene = <usize>load<u32>(genes + (<usize>i << 2));
      const count = <f64>load<u32>(counts + (<usize>i << 2));
      const total = sumCounts + (gene << 3);
      store<f64>(total, load<f64>(total) + count);
      addNodes(S + gene * rowBytes, w, f64x2.splat(count), K);
    }
  }
}

/** The same of squared counts: Q[j,k] += y_ij² · l_k(log s_i). */
export function accumulateSquares(
  indptr: usize, genes: usize, counts: usize, nRows: u32, weights: usize, K: u32, Q: usize,
): void {
  const rowBytes = <usize>K << 3;
  for (let row: u32 = 0; row < nRows; row++) {
    const begin = load<u32>(indptr + (<usize>row << 2));
    const end = load<u32>(indptr + (<usize>(row + 1) << 2));
    const w = weights + <usize>row * rowBytes;
    for (let i = begin; i < end; i++) {
      const gene = <usize>load<u32>(genes + (<usize>i << 2));
      const count = <f64>load<u32>(counts + (<usize>i << 2));
      addNodes(Q + gene * rowBytes, w, f64x2.splat(count * count), K);
    }
  }
}
