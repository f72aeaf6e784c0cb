import type { ShrinkPrior } from '@shardex/shared/config';
import { estimatePriorScale, priorScaleOf, PriorVarianceSearch, shrinkFromStatistics } from '@shardex/shared/stats';
import type { ResultFile } from '../results/result-file.js';
import { rowRuns } from '../results/tidy-rows.js';
import type { ShrunkenBlock, ShrunkenRows } from './shrunken-rows.js';

/** Fold changes of some rows and their standard errors, log2. */
type ReadStatistics = (rowBegin: number, rowEnd: number) => Promise<readonly [Float64Array, Float64Array]>;

/**
 * Shrinks the fold changes of a results file by the normal approximation of their likelihood. Nothing is kept: the file is
 * read once for the prior's scales (ten times for one scale of the whole screen), once for what is said of the modes, and
 * once more as rows are asked for.
 */
export async function shrinkStatistics(file: ResultFile, prior: ShrinkPrior): Promise<ShrunkenRows> {
  const nGenes = file.genes.length;
  const nRows = file.perturbations.length;
  const layers = await file.openLayers(['X', 'standard_error']);
  const statistics: ReadStatistics = async (rowBegin, rowEnd) => {
    const rows = await file.readRows(layers, rowBegin, rowEnd);
    return [rows.get('X') as Float64Array, rows.get('standard_error') as Float64Array];
  };
  const runs = [...rowRuns(0, nRows, nGenes)];
  const priorScales =
    prior === 'global'
      ? new Float64Array(nRows).fill(await globalScale(statistics, runs))
      : await ownScales(statistics, runs, nRows, nGenes);
  let twoModes = 0;
  const read = async (rowBegin: number, rowEnd: number): Promise<ShrunkenBlock> => {
    const [foldChanges, errors] = await statistics(rowBegin, rowEnd);
    const block = { foldChanges: new Float32Array(foldChanges.length), errors: new Float32Array(foldChanges.length) };
    for (let row = rowBegin; row < rowEnd; row++) {
      const at = (row - rowBegin) * nGenes;
      const own = (values: Float64Array): Float64Array => values.subarray(at, at + nGenes);
      const shrunk = shrinkFromStatistics(own(foldChanges), own(errors), priorScales[row]);
      block.foldChanges.set(shrunk.log2FoldChangeShrunk, at);
      block.errors.set(shrunk.standardErrorShrunkLog2, at);
      for (const flag of shrunk.twoModes) twoModes += flag;
    }
    return block;
  };
  for (const [begin, end] of runs) await read(begin, end);
  // The mode of one normal and one Cauchy factor is a root of a cubic: there is nothing that could fail to converge.
  const shrinkage = { likelihood: 'normal', prior, priorScales, twoModes, notConverged: 0 } as const;
  return { shrinkage, read };
}

type Runs = readonly (readonly [begin: number, end: number])[];

async function ownScales(statistics: ReadStatistics, runs: Runs, nRows: number, nGenes: number): Promise<Float64Array> {
  const scales = new Float64Array(nRows);
  for (const [begin, end] of runs) {
    const [foldChanges, errors] = await statistics(begin, end);
    for (let row = begin; row < end; row++) {
      const [from, to] = [(row - begin) * nGenes, (row - begin + 1) * nGenes];
      scales[row] = estimatePriorScale(foldChanges.subarray(from, to), errors.subarray(from, to));
    }
  }
  return scales;
}

async function globalScale(statistics: ReadStatistics, runs: Runs): Promise<number> {
  const search = new PriorVarianceSearch();
  const inNaturalLog = (values: Float64Array): Float64Array => values.map((value) => value * Math.LN2);
  while (search.variance === null) {
    for (const [begin, end] of runs) {
      const [foldChanges, errors] = await statistics(begin, end);
      search.add(inNaturalLog(foldChanges), inNaturalLog(errors));
    }
    search.endPass();
  }
  return priorScaleOf(search.variance);
}
