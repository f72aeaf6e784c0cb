// Rows as they come from the file, checked, added up and written in compact form in one pass
// (format: shared/src/kernels/compact-rows.ts). All arguments are byte addresses in the shared memory unless said otherwise.

/** Position of the first value that is refused; none. */
const NONE: u32 = 0xffffffff;

/** The five bytes of a number of 255 or more. */
// @ts-ignore: decorator
@inline
function escape(at: usize, value: u32): void {
  store<u8>(at, 255);
  store<u32>(at, value, 1);
}

/**
 * Counts: one pass over the nonzeros of every row. rowGroups: i32, negative for rows that are only added up; the others
 * with at least `least` nonzeros are encoded at `target`. totals: f64 nRows. rowBytes: u32 nRows, 0 where nothing was
 * encoded. geneTotals (f64) and geneCells (u32) grow by the encoded rows. Returns the position of the first value that is
 * no whole number from 0 to 2^32 − 1.
 */
// @ts-ignore: decorator
@inline
function encodeCounts<T extends number>(
  indptr: usize, genes: usize, values: usize, nRows: u32, rowGroups: usize, least: u32,
  target: usize, totals: usize, rowBytes: usize, geneTotals: usize, geneCells: usize,
): u32 {
  let at = target;
  for (let row: usize = 0; row < <usize>nRows; row++) {
    const begin = load<u32>(indptr + (row << 2));
    const end = load<u32>(indptr + (row << 2), 4);
    const isKept = load<i32>(rowGroups + (row << 2)) >= 0 && end > begin && end - begin >= least;
    const first = at;
    let total: u64 = 0;
    let next: u32 = 0;
    for (let i = begin; i < end; i++) {
      const value = <f64>load<T>(values + <usize>i * sizeof<T>());
      // Saturates, so that what is no count, NaN included, comes back as something else.
      const count = <u32>value;
      if (<f64>count != value) return i;
      total += count;
      if (!isKept) continue;
      const gene = load<u32>(genes + (<usize>i << 2));
      const gap = gene - next;
      next = gene + 1;
      if (max(gap, count) < 255) {
        store<u16>(at, <u16>(gap | (count << 8)));
        at += 2;
      } else {
        if (gap < 255) store<u8>(at++, <u8>gap); else { escape(at, gap); at += 5; }
        if (count < 255) store<u8>(at++, <u8>count); else { escape(at, count); at += 5; }
      }
      const geneTotal = geneTotals + (<usize>gene << 3);
      store<f64>(geneTotal, load<f64>(geneTotal) + value);
      const cells = geneCells + (<usize>gene << 2);
      store<u32>(cells, load<u32>(cells) + 1);
    }
    store<f64>(totals + (row << 3), <f64>total);
    store<u32>(rowBytes + (row << 2), <u32>(at - first));
  }
  return NONE;
}

export function encodeCountRows32(
  indptr: usize, genes: usize, values: usize, nRows: u32, rowGroups: usize, least: u32,
  target: usize, totals: usize, rowBytes: usize, geneTotals: usize, geneCells: usize,
): u32 {
  return encodeCounts<f32>(indptr, genes, values, nRows, rowGroups, least, target, totals, rowBytes, geneTotals, geneCells);
}

export function encodeCountRows64(
  indptr: usize, genes: usize, values: usize, nRows: u32, rowGroups: usize, least: u32,
  target: usize, totals: usize, rowBytes: usize, geneTotals: usize, geneCells: usize,
): u32 {
  return encodeCounts<f64>(indptr, genes, values, nRows, rowGroups, least, target, totals, rowBytes, geneTotals, geneCells);
}

/**
 * The same for real numbers from 0 up, f64: rows without nonzeros are rows like any other, whose rowBytes are 0 either
 * way, and sums per gene are not formed, as they would depend on the order of rows.
 */
export function encodeRealRows(
  indptr: usize, genes: usize, values: usize, nRows: u32, rowGroups: usize, least: u32,
  target: usize, totals: usize, rowBytes: usize, geneCells: usize,
): u32 {
  let at = target;
  for (let row: usize = 0; row < <usize>nRows; row++) {
    const begin = load<u32>(indptr + (row << 2));
    const end = load<u32>(indptr + (row << 2), 4);
    const isKept = load<i32>(rowGroups + (row << 2)) >= 0 && end - begin >= least;
    const first = at;
    let total: f64 = 0;
    let next: u32 = 0;
    for (let i = begin; i < end; i++) {
      const value = load<f64>(values + (<usize>i << 3));
      if (!(value >= 0 && value < Infinity)) return i;
      total += value;
      if (!isKept) continue;
      const gene = load<u32>(genes + (<usize>i << 2));
      const gap = gene - next;
      next = gene + 1;
      if (gap < 255) store<u8>(at++, <u8>gap); else { escape(at, gap); at += 5; }
      store<f64>(at, value);
      at += 8;
      const cells = geneCells + (<usize>gene << 2);
      store<u32>(cells, load<u32>(cells) + 1);
    }
    store<f64>(totals + (row << 3), total);
    store<u32>(rowBytes + (row << 2), <u32>(at - first));
  }
  return NONE;
}

/** Copies encoded rows to `target`, one behind the other, in the order given. offsets: u32 n + 1 into source. order: u32 n. */
export function copyRows(source: usize, offsets: usize, order: usize, n: u32, target: usize): void {
  let at = target;
  for (let place: usize = 0; place < <usize>n; place++) {
    const row = <usize>load<u32>(order + (place << 2));
    const begin = load<u32>(offsets + (row << 2));
    const bytes = <usize>(load<u32>(offsets + (row << 2), 4) - begin);
    memory.copy(at, source + <usize>begin, bytes);
    at += bytes;
  }
}
