/**
 * target[row] = Σ_k values[row·K + k] weights[k], f64 each, as two sums over even and odd k that are added at the end; K is even.
 */
export function weightedRowSums(values: usize, nRows: u32, K: u32, weights: usize, target: usize): void {
  const rowBytes = <usize>K << 3;
  let at = values;
  for (let row: usize = 0; row < <usize>nRows; row++) {
    let sums = f64x2.splat(0);
    for (let k: usize = 0; k < rowBytes; k += 16) {
      sums = f64x2.add(sums, f64x2.mul(v128.load(at + k), v128.load(weights + k)));
    }
    store<f64>(target + (row << 3), f64x2.extract_lane(sums, 0) + f64x2.extract_lane(sums, 1));
    at += rowBytes;
  }
}
