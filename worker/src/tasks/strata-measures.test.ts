import type { BundleArray, BundleReader, ControlSummary } from '@shardex/shared/artifacts';
import { KernelHeap, loadRows, MeasureAccumulator } from '@shardex/shared/kernels';
import { chooseNodes } from '@shardex/shared/stats';
import { describe, expect, it } from 'vitest';
import { readFrozenStrata, strataArrays } from './frozen-strata.js';
import type { CountBlock } from './nb-engine.js';
import { StrataMeasures } from './strata-measures.js';

const GENES = 7;
const CELLS = 40;
/** Four strata, the last without cells; they change from cell to cell. */
const strata = { count: 4, ofCell: Int32Array.from({ length: CELLS }, (_, cell) => (cell * 5) % 3) };
const sizeFactors = Float64Array.from({ length: CELLS }, (_, cell) => 0.5 + ((cell * 7) % 11) / 5);
const nodes = chooseNodes(0.5, 2.5);
const count = (cell: number, gene: number): number => Math.max(0, ((cell * 13 + gene * 29) % 8) - 3);

/** The cells given, genes [begin, end) only. */
const block = (heap: KernelHeap, cells: readonly number[], begin = 0, end = GENES): CountBlock => {
  const indptr = [0];
  const indices: number[] = [];
  const counts: number[] = [];
  for (const cell of cells) {
    for (let gene = begin; gene < end; gene++) {
      if (count(cell, gene) === 0) continue;
      indices.push(gene - begin);
      counts.push(count(cell, gene));
    }
    indptr.push(indices.length);
  }
  return {
    rows: loadRows(heap, { indptr, indices, counts }),
    cells: Uint32Array.from(cells),
    totals: new Float64Array(cells.length),
    sizeFactors: Float64Array.from(cells, (cell) => sizeFactors[cell]),
  };
};
const all = Array.from({ length: CELLS }, (_, cell) => cell);

const filled = (heap: KernelHeap, begin = 0, end = GENES): StrataMeasures => {
  const measures = new StrataMeasures(heap, end - begin, nodes, strata, true);
  measures.addRows(block(heap, all, begin, end));
  return measures;
};

describe('measures by stratum', () => {
  it('are those of each stratum by itself, whatever lies between its cells', () => {
    const heap = KernelHeap.create();
    const measures = filled(heap);
    expect([...measures.cells()]).toEqual([14, 13, 13, 0]);
    for (const [s, own] of measures.measures().entries()) {
      const cells = all.filter((cell) => strata.ofCell[cell] === s);
      if (own === null) {
        expect(cells).toEqual([]);
        continue;
      }
      const alone = new MeasureAccumulator(heap, GENES, nodes, true);
      const of = block(heap, cells);
      alone.addRows(of.rows, of.sizeFactors);
      expect([own.S, own.N, own.sumCounts, own.squares]).toEqual([alone.S, alone.N, alone.sumCounts, alone.squares]);
    }
  });

  it('are the same some strata at a time', () => {
    const heap = KernelHeap.create();
    const whole = filled(heap).measures();
    const part = new StrataMeasures(heap, GENES, nodes, strata, true, 2);
    for (const first of [0, 2]) {
      part.reset();
      part.addRows(block(heap, all.slice(0, 17)), first);
      part.addRows(block(heap, all.slice(17)), first);
      part.measures().forEach((own, i) => {
        expect([own?.S, own?.N, own?.nCells]).toEqual([
          whole[first + i]?.S,
          whole[first + i]?.N,
          whole[first + i]?.nCells,
        ]);
      });
    }
  });

  it('come back from the control outputs for any run of genes', async () => {
    const heap = KernelHeap.create();
    const reader = (geneBegin: number, geneEnd: number): BundleReader<ControlSummary> => {
      const arrays: Record<string, BundleArray> = strataArrays(filled(heap, geneBegin, geneEnd));
      const slice = (name: string, begin?: number, end?: number): Promise<BundleArray> =>
        Promise.resolve(arrays[name].slice(begin, end));
      const meta = { geneBegin, geneEnd, cells: CELLS, nonzeros: 0 };
      return {
        meta,
        f64: slice,
        u32: slice,
        has: (name: string) => name in arrays,
      } as unknown as BundleReader<ControlSummary>;
    };
    const chunks = [reader(0, 3), reader(3, 5), reader(5, GENES)];
    const whole = filled(heap).measures();
    const K = nodes.count;
    for (const [begin, end] of [
      [0, GENES],
      [1, 4],
      [4, 7],
      [3, 5],
    ]) {
      const frozen = await readFrozenStrata(chunks, nodes, begin, end);
      frozen.forEach((own, s) => {
        expect(own?.S).toEqual(whole[s] === null ? undefined : Float64Array.from(whole[s].S.slice(begin * K, end * K)));
        expect(own?.squares).toEqual(whole[s]?.squares?.slice(begin * K, end * K));
        expect(own?.sumCounts).toEqual(whole[s]?.sumCounts.slice(begin, end));
        expect(own?.N).toEqual(whole[s]?.N.slice());
        expect(own?.nCells).toBe(whole[s]?.nCells);
      });
    }
  });
});
