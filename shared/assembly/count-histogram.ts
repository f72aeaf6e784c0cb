// How many cells have each count, gene by gene.

/** Counts up to here have a cell of the histogram; as DENSE_COUNTS in shared/src/stats/count-histogram.ts. */
const DENSE: u32 = 64;
/** Genes whose cells stay in a core's second cache while the rows pass by. */
const TILE: u32 = 1024;

/**
 * dense[gene · 64 + count − 1] += 1 for every nonzero with a count of at most 64; u32. Larger ones go as pairs (gene, count),
 * u32 each, to `large`, which has room for `room` pairs. cursors: u32 nRows of scratch. Returns how many large ones there
 * are: where that is more than there was room for, those beyond are lost.
 */
export function countCounts(
  indptr: usize, genes: usize, counts: usize, nRows: u32, nGenes: u32, cursors: usize, dense: usize, large: usize, room: u32,
): u32 {
  memory.copy(cursors, indptr, <usize>nRows << 2);
  let found: u32 = 0;
  for (let begin: u32 = 0; begin < nGenes; begin += TILE) {
    const tileEnd = begin + TILE;
    for (let row: u32 = 0; row < nRows; row++) {
      const end = load<u32>(indptr + (<usize>(row + 1) << 2));
      let i = load<u32>(cursors + (<usize>row << 2));
      for (; i < end; i++) {
        const gene = load<u32>(genes + (<usize>i << 2));
        if (gene >= tileEnd) break;
        const count = load<u32>(counts + (<usize>i << 2));
        if (count <= DENSE) {
          const cell = dense + ((<usize>gene * DENSE + <usize>count - 1) << 2);
          store<u32>(cell, load<u32>(cell) + 1);
        } else {
          if (found < room) {
            store<u32>(large + (<usize>found << 3), gene);
            store<u32>(large + (<usize>found << 3), count, 4);
          }
          found++;
        }
      }
      store<u32>(cursors + (<usize>row << 2), i);
    }
  }
  return found;
}
