// Decoding of compact rows (format: shared/src/kernels/compact-rows.ts) and the gene-major scatter of rank keys.
// All arguments are byte addresses in the shared memory unless said otherwise.

// @ts-ignore: decorator
@inline
function decodeRows(
  source: usize, rowOffsets: usize, nRows: u32, geneBegin: u32, geneEnd: u32,
  indptr: usize, genes: usize, values: usize, isCount: bool,
): u32 {
  let n: u32 = 0;
  store<u32>(indptr, 0);
  for (let row: u32 = 0; row < nRows; row++) {
    let at = source + <usize>load<u32>(rowOffsets + (<usize>row << 2));
    const end = source + <usize>load<u32>(rowOffsets + (<usize>(row + 1) << 2));
    let gene: u32 = 0xffffffff;
    while (at < end) {
      let gap = <u32>load<u8>(at);
      if (gap == 255) { gap = load<u32>(at, 1); at += 5; } else at += 1;
      gene += gap + 1;
      if (gene >= geneEnd) break;
      const isKept = gene >= geneBegin;
      if (isCount) {
        let count = <u32>load<u8>(at);
        if (count == 255) { count = load<u32>(at, 1); at += 5; } else at += 1;
        if (isKept) store<u32>(values + (<usize>n << 2), count);
      } else {
        if (isKept) store<f64>(values + (<usize>n << 3), load<f64>(at));
        at += 8;
      }
      if (isKept) {
        store<u32>(genes + (<usize>n << 2), gene - geneBegin);
        n++;
      }
    }
    store<u32>(indptr + (<usize>(row + 1) << 2), n);
  }
  return n;
}

/**
 * Decodes rows of counts, keeping the genes in [geneBegin, geneEnd) and numbering them from geneBegin.
 * rowOffsets: nRows + 1 u32 offsets into source. indptr receives nRows + 1 u32. Returns the number of nonzeros kept.
 */
export function decodeCountRows(
  source: usize, rowOffsets: usize, nRows: u32, geneBegin: u32, geneEnd: u32, indptr: usize, genes: usize, counts: usize,
): u32 {
  return decodeRows(source, rowOffsets, nRows, geneBegin, geneEnd, indptr, genes, counts, true);
}

/** The same for rows of real numbers; values receives f64. */
export function decodeRealRows(
  source: usize, rowOffsets: usize, nRows: u32, geneBegin: u32, geneEnd: u32, indptr: usize, genes: usize, values: usize,
): u32 {
  return decodeRows(source, rowOffsets, nRows, geneBegin, geneEnd, indptr, genes, values, false);
}

/** keys[cursors[gene]++] = count / totals[row], row by row: the rank keys of counts in gene-major order. */
export function scatterCountKeys(
  indptr: usize, genes: usize, counts: usize, nRows: u32, totals: usize, cursors: usize, keys: usize,
): void {
  for (let row: u32 = 0; row < nRows; row++) {
    const begin = load<u32>(indptr + (<usize>row << 2));
    const end = load<u32>(indptr + (<usize>(row + 1) << 2));
    const total = load<f64>(totals + (<usize>row << 3));
    for (let i = begin; i < end; i++) {
      const cursor = cursors + (<usize>load<u32>(genes + (<usize>i << 2)) << 2);
      const slot = load<u32>(cursor);
      store<u32>(cursor, slot + 1);
      store<f64>(keys + (<usize>slot << 3), <f64>load<u32>(counts + (<usize>i << 2)) / total);
    }
  }
}

/** keys[cursors[gene]++] = value: the rank keys of given values in gene-major order. */
export function scatterRealKeys(
  indptr: usize, genes: usize, values: usize, nRows: u32, cursors: usize, keys: usize,
): void {
  const end = load<u32>(indptr + (<usize>nRows << 2));
  for (let i = load<u32>(indptr); i < end; i++) {
    const cursor = cursors + (<usize>load<u32>(genes + (<usize>i << 2)) << 2);
    const slot = load<u32>(cursor);
    store<u32>(cursor, slot + 1);
    store<f64>(keys + (<usize>slot << 3), load<f64>(values + (<usize>i << 3)));
  }
}
