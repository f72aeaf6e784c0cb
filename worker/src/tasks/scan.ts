import { createHash } from 'node:crypto';
import { encodeBundle, type ScanSummary, type TaskAssignment, type TaskSpec } from '@shardex/shared/artifacts';
import { CancelledError, InvalidInputError } from '@shardex/shared/errors';
import {
  openRowSource,
  unpackMatrixDescriptor,
  type MatrixDescriptor,
  type PackedDescriptor,
} from '@shardex/shared/h5ad';
import type { CsrBlock } from '@shardex/shared/matrix';
import { isRatioMethod } from '@shardex/shared/config';
import { LogCountSums } from '@shardex/shared/stats';
import { openByteSource } from '@shardex/shared/storage';
import type { TaskOutput } from './commit.js';
import type { TaskRuntime } from './contract.js';
import type { JobData } from './job-data.js';
import { RowRegrouper } from './regroup-rows.js';

type ScanSpec = Extract<TaskSpec, { kind: 'scan' }>;

/** Nonzeros of one block: 8 MB of values and indices, small enough to be summed while still in the cache. */
const BLOCK_NONZEROS = 1 << 20;

/** Largest count a compact row holds. */
const MAX_COUNT = 2 ** 32 - 1;

/**
 * Reads a run of rows once: totals, expressed genes, per-gene sums, and the rows themselves regrouped by perturbation.
 *
 * @throws InvalidInputError for a value that the declared scale rules out, naming the cell and the gene
 */
export async function runScan(
  job: JobData,
  spec: ScanSpec,
  assignment: TaskAssignment,
  runtime: TaskRuntime,
): Promise<TaskOutput> {
  const { context } = job;
  const { parameters } = context;
  const group = await job.contextReader.i32('group', spec.rowBegin, spec.rowEnd);
  const source = await openByteSource(parameters.input);
  try {
    if (source.version !== context.inputVersion) {
      throw new InvalidInputError(`${parameters.input} changed while the job was running`, {
        hint: 'run again once nothing writes to it',
      });
    }
    const chunkHashes: [string, number, string][] = [];
    let bytesRead = 0;
    const descriptor = await matrixDescriptor(job);
    const rows = openRowSource(descriptor, source, {
      onRawChunk: (dataset, chunk, bytes) => {
        bytesRead += bytes.length;
        chunkHashes.push([dataset, chunk, createHash('sha256').update(bytes).digest('base64')]);
      },
      bandBytes: Math.max(64 << 20, Math.floor(assignment.memoryBytes / 4)),
    });
    const sums = new RowSums(job, spec, group);
    for await (const block of rows.blocks(spec.rowBegin, spec.rowEnd, BLOCK_NONZEROS)) {
      if (runtime.signal.aborted) throw new CancelledError('the task was abandoned');
      sums.add(block);
      runtime.progress((block.rowBegin + block.nRows - spec.rowBegin) / (spec.rowEnd - spec.rowBegin));
    }
    return { ...sums.finish(chunkHashes), bytesRead };
  } finally {
    await source.close();
  }
}

async function matrixDescriptor(job: JobData): Promise<MatrixDescriptor> {
  const cached = job.kept.get('matrix') as MatrixDescriptor | undefined;
  if (cached !== undefined) return cached;
  const packed = job.context.matrix as { json: unknown; arrays: Record<string, 'f64' | 'u32' | 'u8'> };
  const arrays: Record<string, Float64Array | Uint32Array | Uint8Array> = {};
  for (const [name, dtype] of Object.entries(packed.arrays)) {
    arrays[name] = await job.contextReader[dtype](`matrix/${name}`);
  }
  const descriptor = unpackMatrixDescriptor({ json: packed.json, arrays } satisfies PackedDescriptor);
  job.kept.set('matrix', descriptor);
  return descriptor;
}

/** The running sums of one scan task. */
class RowSums {
  private readonly total: Float64Array;
  private readonly nGenes: Uint32Array;
  private readonly kept: Uint8Array;
  private readonly geneTotal: Float64Array;
  private readonly geneCells: Uint32Array;
  /** Only where a later stage needs it. */
  private readonly logSums: LogCountSums | null;
  private readonly regrouper: RowRegrouper;
  private readonly isCounts: boolean;
  private nonzeros = 0;
  private keptRows = 0;
  private emptyCells = 0;
  private fewGenesCells = 0;

  constructor(
    private readonly job: JobData,
    private readonly spec: ScanSpec,
    private readonly group: Int32Array,
  ) {
    const n = spec.rowEnd - spec.rowBegin;
    this.total = new Float64Array(n);
    this.nGenes = new Uint32Array(n);
    this.kept = new Uint8Array(n);
    this.geneTotal = new Float64Array(job.context.nGenes);
    this.geneCells = new Uint32Array(job.context.nGenes);
    this.isCounts = job.context.inputScale === 'counts';
    this.logSums = isRatioMethod(job.context.parameters.sizeFactors)
      ? new LogCountSums(job.context.nCells, new Float64Array(job.context.nGenes))
      : null;
    this.regrouper = new RowRegrouper(job.valueKind, job.nGroups);
  }

  add(block: CsrBlock): void {
    const { indptr, indices, values } = block;
    const { minGenes } = this.job.context.parameters;
    for (let r = 0; r < block.nRows; r++) {
      const begin = indptr[r];
      const end = indptr[r + 1];
      const row = block.rowBegin + r - this.spec.rowBegin;
      const total = this.isCounts ? this.sumCounts(block, r) : this.sumReals(block, r);
      this.total[row] = total;
      this.nGenes[row] = end - begin;
      this.nonzeros += end - begin;
      if (this.group[row] < 0) continue;
      // A cell without a single count has no size factor. On the log scale it is a cell like any other.
      if (this.isCounts && total === 0) {
        this.emptyCells++;
        continue;
      }
      if (end - begin < minGenes) {
        this.fewGenesCells++;
        continue;
      }
      this.kept[row] = 1;
      this.keptRows++;
      for (let i = begin; i < end; i++) this.geneCells[indices[i]]++;
      // Sums of counts are exact; sums of other values would depend on the order of cells and are not needed.
      if (this.isCounts) for (let i = begin; i < end; i++) this.geneTotal[indices[i]] += values[i];
      this.logSums?.add(indices, values, begin, end);
      this.regrouper.append(block.rowBegin + r, this.group[row], indices, values, begin, end);
    }
  }

  finish(chunkHashes: ScanSummary['chunkHashes']): Omit<TaskOutput, 'bytesRead'> {
    const regrouped = this.regrouper.finish();
    const meta: ScanSummary = {
      rowBegin: this.spec.rowBegin,
      rowEnd: this.spec.rowEnd,
      nonzeros: this.nonzeros,
      keptRows: this.keptRows,
      emptyCells: this.emptyCells,
      fewGenesCells: this.fewGenesCells,
      chunkHashes,
    };
    const parts = encodeBundle(meta, {
      total: this.total,
      nGenes: this.nGenes,
      kept: this.kept,
      geneTotal: this.geneTotal,
      geneCells: this.geneCells,
      ...(this.logSums === null ? {} : { geneLogSums: this.logSums.sums }),
      ...regrouped,
    });
    return { parts, nonzeros: this.nonzeros, fits: 0, warnings: [] };
  }

  private sumCounts(block: CsrBlock, r: number): number {
    const { indptr, values } = block;
    let total = 0;
    for (let i = indptr[r]; i < indptr[r + 1]; i++) {
      const value = values[i];
      // One comparison chain that also catches NaN: every comparison with it is false.
      if (!(value >= 0 && value <= MAX_COUNT && Math.floor(value) === value)) this.refuse(block, r, i);
      total += value;
    }
    return total;
  }

  private sumReals(block: CsrBlock, r: number): number {
    const { indptr, values } = block;
    let total = 0;
    for (let i = indptr[r]; i < indptr[r + 1]; i++) {
      const value = values[i];
      if (!(value >= 0 && value < Infinity)) this.refuse(block, r, i);
      total += value;
    }
    return total;
  }

  private refuse(block: CsrBlock, r: number, i: number): never {
    const value = block.values[i];
    const where = `cell ${block.rowBegin + r + 1}, gene ${block.indices[i] + 1} of ${this.job.context.parameters.input}`;
    const what = Number.isNaN(value) ? 'NaN' : value < 0 ? `the negative value ${value}` : `the value ${value}`;
    const isFraction = value > 0 && Number.isFinite(value) && Math.floor(value) !== value;
    throw new InvalidInputError(
      `${where} holds ${what}, which is not ${this.isCounts ? 'a count' : 'on the log1p scale'}`,
      {
        hint:
          this.isCounts && isFraction
            ? 'choose the matrix of raw counts with --layer, or declare --input-scale log1p if the values are log-normalised'
            : 'choose another matrix with --layer or repair the file',
        details: { cell: block.rowBegin + r, gene: block.indices[i] },
      },
    );
  }
}
