import { createHash } from 'node:crypto';
import { encodeBundle, type ScanSummary, type TaskSpec } from '@shardex/shared/artifacts';
import { CancelledError, InvalidInputError } from '@shardex/shared/errors';
import {
  openRowSource,
  unpackMatrixDescriptor,
  type MatrixDescriptor,
  type PackedDescriptor,
} from '@shardex/shared/h5ad';
import { RowEncoder } from '@shardex/shared/kernels';
import { PLAIN_ARRAYS, type CsrBlock, type RowArrays } from '@shardex/shared/matrix';
import { isRatioMethod } from '@shardex/shared/config';
import { LogCountSums } from '@shardex/shared/stats';
import { openByteSource } from '@shardex/shared/storage';
import type { TaskOutput } from './commit.js';
import type { JobData } from './job-data.js';
import { RowRegrouper } from './regroup-rows.js';
import type { TaskScope } from './task-scope.js';

type ScanSpec = Extract<TaskSpec, { kind: 'scan' }>;

/** Nonzeros of one block: 8 MB of values and indices, small enough to be summed while still in the cache. */
const BLOCK_NONZEROS = 1 << 20;

/**
 * Reads a run of rows once: totals, expressed genes, per-gene sums, and the rows themselves regrouped by perturbation.
 *
 * @throws InvalidInputError for a value that the declared scale rules out, naming the cell and the gene
 */
export async function runScan(scope: TaskScope, spec: ScanSpec): Promise<TaskOutput> {
  const { job, assignment, runtime } = scope;
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
    const sums = new RowTotals(scope, spec, group);
    const rows = openRowSource(descriptor, source, {
      arrays: sums.arrays,
      onRawChunk: (dataset, chunk, bytes) => {
        bytesRead += bytes.length;
        chunkHashes.push([dataset, chunk, createHash('sha256').update(bytes).digest('base64')]);
      },
      bandBytes: Math.max(64 << 20, Math.floor(assignment.memoryBytes / 4)),
    });
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

/** What one scan task finds out about its rows and genes. */
class RowTotals {
  private readonly job: JobData;
  private readonly total: Float64Array;
  private readonly nGenes: Uint32Array;
  private readonly kept: Uint8Array;
  /** Only where a later stage needs it. */
  private readonly logSums: LogCountSums | null;
  private readonly encoder: RowEncoder;
  private readonly regrouper: RowRegrouper;
  private readonly isCounts: boolean;
  private nonzeros = 0;
  private keptRows = 0;
  private emptyCells = 0;
  private fewGenesCells = 0;

  constructor(
    { job, heap }: TaskScope,
    private readonly spec: ScanSpec,
    private readonly group: Int32Array,
  ) {
    this.job = job;
    const { nGenes, nCells, inputScale, parameters } = job.context;
    const maxRows = spec.rowEnd - spec.rowBegin;
    this.total = new Float64Array(maxRows);
    this.nGenes = new Uint32Array(maxRows);
    this.kept = new Uint8Array(maxRows);
    this.isCounts = inputScale === 'counts';
    this.logSums = isRatioMethod(parameters.sizeFactors) ? new LogCountSums(nCells, new Float64Array(nGenes)) : null;
    const maxNonzeros = Math.max(BLOCK_NONZEROS, nGenes);
    this.encoder = new RowEncoder(heap, job.valueKind, { nGenes, maxRows, maxNonzeros });
    this.regrouper = new RowRegrouper(job.nGroups);
  }

  /** Where rows are read to, so that `add` finds them in the heap. */
  get arrays(): RowArrays {
    const { encoder } = this;
    return {
      indices: (length) => encoder.roomForIndices(length) ?? PLAIN_ARRAYS.indices(length),
      values: (type, length) => encoder.roomForValues(type, length) ?? PLAIN_ARRAYS.values(type, length),
      firstIrregularRow: (rows, n) => encoder.firstIrregularRow(rows, n) ?? PLAIN_ARRAYS.firstIrregularRow(rows, n),
    };
  }

  add(block: CsrBlock): void {
    const { indptr, indices, values, nRows } = block;
    const { minGenes } = this.job.context.parameters;
    const first = block.rowBegin - this.spec.rowBegin;
    const groups = this.group.subarray(first, first + nRows);
    const sums = this.encoder.add(block, groups, minGenes);
    if (sums.refused >= 0) this.refuse(block, sums.refused);
    this.total.set(sums.totals.subarray(0, nRows), first);
    this.nonzeros += indptr[nRows];
    for (let r = 0; r < nRows; r++) {
      const [begin, end] = [indptr[r], indptr[r + 1]];
      this.nGenes[first + r] = end - begin;
      if (groups[r] < 0) continue;
      // A cell without a single count has no size factor. On the log scale it is a cell like any other.
      if (this.isCounts && end === begin) this.emptyCells++;
      else if (end - begin < minGenes) this.fewGenesCells++;
      else {
        this.kept[first + r] = 1;
        this.keptRows++;
        this.logSums?.add(indices, values, begin, end);
        this.regrouper.append(block.rowBegin + r, groups[r], end - begin, sums.rowBytes[r]);
      }
    }
  }

  finish(chunkHashes: ScanSummary['chunkHashes']): Omit<TaskOutput, 'bytesRead'> {
    const regrouped = this.regrouper.finish(this.encoder);
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
      geneTotal: this.encoder.geneTotals,
      geneCells: this.encoder.geneCells,
      ...(this.logSums === null ? {} : { geneLogSums: this.logSums.sums }),
      ...regrouped,
    });
    return { parts, nonzeros: this.nonzeros, fits: 0, warnings: [] };
  }

  private refuse(block: CsrBlock, i: number): never {
    const value = block.values[i];
    const r = block.indptr.findIndex((end) => end > i) - 1;
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
