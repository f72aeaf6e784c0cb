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
 * Adds one row of at most sixteen nodes, its basis in registers all the while. vectors: pairs of nodes, known when this is
 * compiled.
 */
// @ts-ignore: decorator
@inline
function addShortRow(
  genes: usize, counts: usize, begin: usize, end: usize, w: usize, vectors: u32, S: usize, sumCounts: usize,
): void {
  const rowBytes = <usize>vectors << 4;
  const w0 = v128.load(w);
  const w1 = v128.load(w, 16);
  const w2 = vectors > 2 ? v128.load(w, 32) : w0;
  const w3 = vectors > 3 ? v128.load(w, 48) : w0;
  const w4 = vectors > 4 ? v128.load(w, 64) : w0;
  const w5 = vectors > 5 ? v128.load(w, 80) : w0;
  const w6 = vectors > 6 ? v128.load(w, 96) : w0;
  const w7 = vectors > 7 ? v128.load(w, 112) : w0;
  for (let i = begin << 2; i < end << 2; i += 4) {
    const gene = <usize>load<u32>(genes + i);
    const count = <f64>load<u32>(counts + i);
    const total = sumCounts + (gene << 3);
    store<f64>(total, load<f64>(total) + count);
    const y = f64x2.splat(count);
    const sums = S + gene * rowBytes;
    v128.store(sums, f64x2.add(v128.load(sums), f64x2.mul(y, w0)));
    v128.store(sums, f64x2.add(v128.load(sums, 16), f64x2.mul(y, w1)), 16);
    if (vectors > 2) v128.store(sums, f64x2.add(v128.load(sums, 32), f64x2.mul(y, w2)), 32);
    if (vectors > 3) v128.store(sums, f64x2.add(v128.load(sums, 48), f64x2.mul(y, w3)), 48);
    if (vectors > 4) v128.store(sums, f64x2.add(v128.load(sums, 64), f64x2.mul(y, w4)), 64);
    if (vectors > 5) v128.store(sums, f64x2.add(v128.load(sums, 80), f64x2.mul(y, w5)), 80);
    if (vectors > 6) v128.store(sums, f64x2.add(v128.load(sums, 96), f64x2.mul(y, w6)), 96);
    if (vectors > 7) v128.store(sums, f64x2.add(v128.load(sums, 112), f64x2.mul(y, w7)), 112);
  }
}

function addLongRow(
  genes: usize, counts: usize, begin: usize, end: usize, w: usize, K: u32, S: usize, sumCounts: usize,
): void {
  for (let i = begin << 2; i < end << 2; i += 4) {
    const gene = <usize>load<u32>(genes + i);
    const count = <f64>load<u32>(counts + i);
    const total = sumCounts + (gene << 3);
    store<f64>(total, load<f64>(total) + count);
    addNodes(S + gene * (<usize>K << 3), w, f64x2.splat(count), K);
  }
}

/**
 * Adds rows, strictly in order, to S (f64, nGenes × K, gene-major), and to the exact sums of counts (f64).
 * weights: f64, nRows × K, the Lagrange basis of each row. K is even.
 */
export function accumulateMeasures(
  indptr: usize, genes: usize, counts: usize, nRows: u32, weights: usize, K: u32,
  S: usize, sumCounts: usize,
): void {
  let w = weights;
  for (let at = indptr; at < indptr + (<usize>nRows << 2); at += 4, w += <usize>K << 3) {
    const begin = <usize>load<u32>(at);
    const end = <usize>load<u32>(at, 4);
    switch (K) {
      case 4: addShortRow(genes, counts, begin, end, w, 2, S, sumCounts); break;
      case 6: addShortRow(genes, counts, begin, end, w, 3, S, sumCounts); break;
      case 8: addShortRow(genes, counts, begin, end, w, 4, S, sumCounts); break;
      case 10: addShortRow(genes, counts, begin, end, w, 5, S, sumCounts); break;
      case 12: addShortRow(genes, counts, begin, end, w, 6, S, sumCounts); break;
      case 14: addShortRow(genes, counts, begin, end, w, 7, S, sumCounts); break;
      case 16: addShortRow(genes, counts, begin, end, w, 8, S, sumCounts); break;
      default: addLongRow(genes, counts, begin, end, w, K, S, sumCounts);
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
