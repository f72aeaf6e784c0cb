import type { CountBlock } from './nb-engine.js';

/** Bytes a nonzero takes while rows are turned into columns. */
export const BYTES_A_NONZERO = 16;

/** Counts of some cells by gene; cells are numbered in the order in which they were added, and ascend within a gene. */
export interface CountColumns {
  /** First nonzero of each gene, and the end. */
  readonly offsets: Uint32Array;
  readonly cells: Uint32Array;
  readonly counts: Uint32Array;
}

/** Collects cells by rows, outside the heap. */
export class CountRowBuffer {
  /** Index in the file of each cell. */
  readonly cells: number[] = [];
  private readonly ends: number[] = [];
  private indices = new Uint32Array(1 << 16);
  private counts = new Uint32Array(1 << 16);
  private length = 0;

  clear(): void {
    this.cells.length = 0;
    this.ends.length = 0;
    this.length = 0;
  }

  add({ rows, cells }: CountBlock): void {
    const { nRows, indptr, indices, counts } = rows;
    const [begin, end] = [indptr[0], indptr[nRows]];
    while (this.length + end - begin > this.indices.length) {
      this.indices = doubled(this.indices);
      this.counts = doubled(this.counts);
    }
    this.indices.set(indices.subarray(begin, end), this.length);
    this.counts.set(counts.subarray(begin, end), this.length);
    for (let row = 0; row < nRows; row++) {
      this.cells.push(cells[row]);
      this.ends.push(this.length + indptr[row + 1] - begin);
    }
    this.length += end - begin;
  }

  /** The cells added so far as rows; valid until the next one is added. */
  rows(): { readonly indptr: readonly number[]; readonly indices: Uint32Array; readonly counts: Uint32Array } {
    return { indptr: [0, ...this.ends], indices: this.indices, counts: this.counts };
  }

  /** The genes [geneBegin, geneEnd) by columns, numbered from geneBegin. */
  columns(geneBegin: number, geneEnd: number): CountColumns {
    const offsets = new Uint32Array(geneEnd - geneBegin + 1);
    for (let i = 0; i < this.length; i++) {
      const gene = this.indices[i] - geneBegin;
      if (gene >= 0 && gene < geneEnd - geneBegin) offsets[gene + 1]++;
    }
    for (let gene = 1; gene < offsets.length; gene++) offsets[gene] += offsets[gene - 1];
    const cells = new Uint32Array(offsets[offsets.length - 1]);
    const counts = new Uint32Array(cells.length);
    const cursors = offsets.slice();
    let begin = 0;
    for (const [cell, end] of this.ends.entries()) {
      for (let i = begin; i < end; i++) {
        const gene = this.indices[i] - geneBegin;
        if (gene < 0 || gene >= geneEnd - geneBegin) continue;
        cells[cursors[gene]] = cell;
        counts[cursors[gene]++] = this.counts[i];
      }
      begin = end;
    }
    return { offsets, cells, counts };
  }
}

const doubled = (array: Uint32Array): Uint32Array<ArrayBuffer> => {
  const larger = new Uint32Array(array.length * 2);
  larger.set(array);
  return larger;
};
