import type { TestName } from '@shardex/shared/config';
import { GENE_STATUS_LEGEND } from '@shardex/shared/stats';
import { RANKING_LAYERS, StrongestRows, type RankedRow } from './rank-rows.js';
import type { ResultFile, ResultRows } from './result-file.js';

/** One (perturbation, gene) of one test. */
export interface TidyRow {
  readonly test: TestName;
  readonly perturbation: string;
  readonly gene: string;
  /** By layer; "X" goes by the name "effect", `status` is a word of the legend. */
  readonly values: ReadonlyMap<string, number | string>;
}

export interface TidyRequest {
  /** null: all. */
  readonly perturbation: string | null;
  /** The strongest by p-value; null: all, in the order of the file. */
  readonly top: number | null;
}

/** Values held at once while a whole file is gone through: a few dozen rows of a large screen. */
const BLOCK_VALUES = 1 << 18;

/** Name of a layer in a tidy row, as in the tables that `shardex de --format csv` writes. */
export const tidyName = (layer: string): string => (layer === 'X' ? 'effect' : layer);

export const statusName = (code: number): string => GENE_STATUS_LEGEND[code]?.name ?? String(code);

/** Runs of rows that hold about `BLOCK_VALUES` values each. */
export function* rowRuns(rowBegin: number, rowEnd: number, nGenes: number): Generator<readonly [number, number]> {
  const step = Math.max(1, Math.floor(BLOCK_VALUES / Math.max(1, nGenes)));
  for (let begin = rowBegin; begin < rowEnd; begin += step) yield [begin, Math.min(rowEnd, begin + step)];
}

/** The shortest decimal that is the same float32: what a float32 layer holds, without the noise of its 53-bit form. */
function shortestFloat32(value: number): number {
  for (let digits = 6; digits < 9; digits++) {
    const candidate = Number(value.toPrecision(digits));
    if (Math.fround(candidate) === value) return candidate;
  }
  return value;
}

/** A value as tables write it. @param isFloat32 - whether its layer is stored with 24 bits of precision */
export function tidyValue(layer: string, value: number, isFloat32: boolean): number | string {
  if (layer === 'status') return statusName(value);
  return isFloat32 && Number.isFinite(value) ? shortestFloat32(value) : value;
}

function tidyRow(file: ResultFile, rows: ResultRows, row: number, gene: number, at: number): TidyRow {
  const values = new Map<string, number | string>();
  for (const [layer, array] of rows) values.set(tidyName(layer), tidyValue(layer, array[at], file.isFloat32(layer)));
  return { test: file.test, perturbation: file.perturbations[row], gene: file.genes[gene], values };
}

/** The rows asked for, strongest first with `top`, otherwise in the order of the file; reads no other rows. */
export async function* tidyRows(file: ResultFile, request: TidyRequest): AsyncGenerator<TidyRow> {
  const nGenes = file.genes.length;
  const rowBegin = request.perturbation === null ? 0 : file.rowOf(request.perturbation);
  const rowEnd = request.perturbation === null ? file.perturbations.length : rowBegin + 1;
  const layers = await file.openLayers(file.layers);
  if (request.top === null) {
    for (const [begin, end] of rowRuns(rowBegin, rowEnd, nGenes)) {
      const rows = await file.readRows(layers, begin, end);
      for (let at = 0; at < (end - begin) * nGenes; at++)
        yield tidyRow(file, rows, begin + Math.floor(at / nGenes), at % nGenes, at);
    }
    return;
  }
  const strongest = new StrongestRows(request.top);
  const ranking = layers.filter(({ name }) => (RANKING_LAYERS as readonly string[]).includes(name));
  for (const [begin, end] of rowRuns(rowBegin, rowEnd, nGenes)) {
    strongest.add(await file.readRows(ranking, begin, end), begin, nGenes);
  }
  const ranked: readonly RankedRow[] = strongest.finish();
  // The strongest rows of a screen come from few perturbations: each of their rows is read once.
  const byRow = new Map<number, ResultRows>();
  for (const { row, gene } of ranked) {
    let rows = byRow.get(row);
    if (rows === undefined) {
      rows = await file.readRows(layers, row, row + 1);
      byRow.set(row, rows);
    }
    yield tidyRow(file, rows, row, gene, gene);
  }
}
