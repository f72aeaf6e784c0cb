import type { RankPrecision } from '@shardex/shared/config';
import {
  scatterKeys,
  scatterScanpyKeys,
  type HeapRealRows,
  type HeapRows,
  type KernelHeap,
} from '@shardex/shared/kernels';

/** Writes the rank keys of cells gene by gene, keys[cursors[gene]++]; all arrays in the heap, as `scatterKeys` takes them. */
export type KeyWriter = (
  rows: HeapRows | HeapRealRows,
  totals: Float64Array,
  cursors: Uint32Array,
  keys: Float64Array,
) => void;

/** The keys a run ranks by: ratios of counts, or the float32 values scanpy makes of them. Values that are given stay as they are. */
export function keyWriter(heap: KernelHeap, precision: RankPrecision): KeyWriter {
  return (rows, totals, cursors, keys) => {
    if (precision === 'float32' && 'counts' in rows) scatterScanpyKeys(heap, rows, totals, cursors, keys);
    else scatterKeys(heap, rows, totals, cursors, keys);
  };
}

/** Where each column begins, from the columns' lengths; u32 in the heap, one more than columns. */
export function columnOffsets(heap: KernelHeap, lengths: Uint32Array): Uint32Array {
  const offsets = heap.u32(lengths.length + 1);
  for (let i = 0; i < lengths.length; i++) offsets[i + 1] = offsets[i] + lengths[i];
  return offsets;
}
