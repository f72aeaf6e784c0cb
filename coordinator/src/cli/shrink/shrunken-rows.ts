import type { Shrinkage } from '../../domain/index.js';

/** Shrunken fold changes of some result rows, row-major, log2. */
export interface ShrunkenBlock {
  readonly foldChanges: Float32Array;
  readonly errors: Float32Array;
}

/** Shrunken fold changes of a results file, wherever they come from, and how they were made. */
export interface ShrunkenRows {
  readonly shrinkage: Shrinkage;
  /** Rows [rowBegin, rowEnd). */
  read(rowBegin: number, rowEnd: number): Promise<ShrunkenBlock>;
}
