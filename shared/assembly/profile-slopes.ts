// The slopes of the genes' whole profiles: the groups' exact sums and the part that depends on single counts.

import { log1p2 } from "./vector-math";

/** As DENSE_COUNTS in shared/src/stats/count-histogram.ts. */
const DENSE: u32 = 64;
/** Bytes of gene, count and cells, u32 each. */
const TRIPLE: usize = 12;

/**
 * slopes[gene · 2⌈A/2⌉ + a] = sums[gene · A + a] · quanta[gene] + Σ_{l ≥ 1} C_l α l/(1 + α l), f64, for genes with a
 * total above 0; the others' are left as they are. A sum (i64) is rounded once. C_l is how many cells have a count beyond
 * l: dense[gene · 64 + count − 1] (u32) have a count up to 64, and nLarge triples (gene, count, cells), ascending in gene,
 * tell of those beyond.
 *
 * table: α l/(1 + α l) for l = 1 … 63, in rows of 2⌈A/2⌉; inverses: such a row of 1/α.
 */
export function profileSlopes(
  nGenes: u32, A: u32, sums: usize, quanta: usize, totals: usize, dense: usize, large: usize, nLarge: u32, table: usize,
  inverses: usize, slopes: usize,
): void {
  const rowBytes = <usize>((A + 1) & ~1) << 3;
  const largeEnd = large + <usize>nLarge * TRIPLE;
  for (let gene: usize = 0; gene < <usize>nGenes; gene++) {
    const first = large;
    let cells: f64 = 0;
    for (; large < largeEnd && <usize>load<u32>(large) == gene; large += TRIPLE) cells += <f64>load<u32>(large, 8);
    if (!(load<f64>(totals + (gene << 3)) > 0)) continue;
    const row = slopes + gene * rowBytes;
    memory.fill(row, 0, rowBytes);
    addCountSlopes(dense + gene * (DENSE << 2), cells, table, row, rowBytes);
    for (let at = first; at < large; at += TRIPLE) {
      addLargeCount(<f64>load<u32>(at, 4), <f64>load<u32>(at, 8), inverses, row, rowBytes);
    }
    addSums(sums + gene * (<usize>A << 3), load<f64>(quanta + (gene << 3)), <usize>A << 3, row);
  }
}

/** cells: those with a count beyond 64. */
function addCountSlopes(counts: usize, cells: f64, table: usize, row: usize, rowBytes: usize): void {
  for (let l: usize = DENSE - 1; l >= 1; l--) {
    cells += <f64>load<u32>(counts + (l << 2));
    if (cells == 0) continue;
    const above = f64x2.splat(cells);
    const terms = table + (l - 1) * rowBytes;
    for (let a: usize = 0; a < rowBytes; a += 16) {
      v128.store(row + a, f64x2.add(v128.load(row + a), f64x2.mul(above, v128.load(terms + a))));
    }
  }
}

/** cells · Σ_{64 ≤ l < count} α l/(1 + α l), as `largeCountSlope` in shared/src/stats/count-terms.ts has it. */
function addLargeCount(count: f64, cells: f64, inverses: usize, row: usize, rowBytes: usize): void {
  const gap = f64x2.splat(count - <f64>DENSE);
  const n = f64x2.splat(cells);
  for (let at: usize = 0; at < rowBytes; at += 16) {
    const r = v128.load(inverses + at);
    const a = f64x2.add(r, f64x2.splat(DENSE));
    const b = f64x2.add(r, f64x2.splat(count));
    const x = f64x2.div(gap, a);
    const halves = f64x2.div(f64x2.mul(f64x2.splat(0.5), gap), f64x2.mul(a, b));
    const logs = f64x2.add(log1p2(x, f64x2.add(f64x2.splat(1), x)), halves);
    const harmonic = f64x2.add(logs, f64x2.sub(digammaTail(b), digammaTail(a)));
    const slope = f64x2.mul(n, f64x2.sub(gap, f64x2.mul(r, harmonic)));
    v128.store(row + at, f64x2.add(v128.load(row + at), slope));
  }
}

/** digamma(z) − [log z − 1/(2z)] (Abramowitz & Stegun 6.3.18). */
// @ts-ignore: decorator
@inline
function digammaTail(z: v128): v128 {
  const w = f64x2.div(f64x2.splat(1), f64x2.mul(z, z));
  let sum = f64x2.sub(f64x2.splat(1.0 / 240), f64x2.mul(w, f64x2.splat(1.0 / 132)));
  sum = f64x2.sub(f64x2.splat(1.0 / 252), f64x2.mul(w, sum));
  sum = f64x2.sub(f64x2.splat(1.0 / 120), f64x2.mul(w, sum));
  sum = f64x2.sub(f64x2.splat(1.0 / 12), f64x2.mul(w, sum));
  return f64x2.neg(f64x2.mul(w, sum));
}

function addSums(sums: usize, quantum: f64, bytes: usize, row: usize): void {
  for (let a: usize = 0; a < bytes; a += 8) {
    store<f64>(row + a, load<f64>(row + a) + <f64>load<i64>(sums + a) * quantum);
  }
}
