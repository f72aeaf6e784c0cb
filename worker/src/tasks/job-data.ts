import {
  openArtifact,
  readTaskPlan,
  SCRATCH_NAMES,
  type BundleReader,
  type JobContext,
  type ScanSummary,
  type SizeFactorSummary,
} from '@shardex/shared/artifacts';
import type { CompactValueKind } from '@shardex/shared/kernels';
import { openStore, type ObjectStore } from '@shardex/shared/storage';

/** The size-factors artifact, as the later stages use it. */
export interface CellFactors {
  readonly summary: SizeFactorSummary;
  readonly total: Float64Array;
  readonly sizeFactor: Float64Array;
  readonly nodeSizeFactors: Float64Array;
  readonly groupKept: Uint8Array;
  readonly groupCells: Uint32Array;
  readonly groupNonzeros: Float64Array;
  readonly geneKept: Uint8Array;
  readonly geneTotal: Float64Array;
  readonly quantumExponents: Int32Array;
}

/** What `CellDesign` says of each cell; null where the run has none of it. */
export interface CellCovariates {
  /** Row of the design's strata, −1 where the cell takes no part. */
  readonly stratum: Int32Array | null;
  /** Level of the batch column, −1 where the cell takes no part. */
  readonly batch: Int32Array | null;
  /** nCells × C, standardised, cell by cell. */
  readonly continuous: Float64Array | null;
}

/**
 * One job's scratch as the tasks of one thread see it; what has been read stays for the thread's next task of the job.
 */
export class JobData {
  private scanReaders: Promise<BundleReader<ScanSummary>[]> | null = null;
  private factors: Promise<CellFactors> | null = null;
  private covariates: Promise<CellCovariates> | null = null;
  private readonly opened = new Set<BundleReader<unknown>>();
  private isClosed = false;
  /** Further artifacts, kept by the task kinds that need them. */
  readonly kept = new Map<string, unknown>();

  private constructor(
    readonly store: ObjectStore,
    readonly context: JobContext,
    readonly contextReader: BundleReader<JobContext>,
  ) {}

  static async open(scratchUri: string): Promise<JobData> {
    const store = openStore(scratchUri);
    const reader = await openArtifact<JobContext>(store, SCRATCH_NAMES.context);
    return new JobData(store, reader.meta, reader);
  }

  get nGroups(): number {
    return this.context.groupLabels.length;
  }

  get valueKind(): CompactValueKind {
    return this.context.inputScale === 'counts' ? 'count' : 'real';
  }

  /** Names of what the tasks of an earlier stage left, in order of their ranges. */
  async outputsOf(stage: string): Promise<readonly string[]> {
    return (await readTaskPlan(this.store, stage)).map(({ output }) => output);
  }

  /** Every scan output, in file order. */
  scans(): Promise<BundleReader<ScanSummary>[]> {
    this.scanReaders ??= this.outputsOf('scan').then((names) =>
      Promise.all(names.map((name) => this.open<ScanSummary>(name))),
    );
    return this.scanReaders;
  }

  cellFactors(): Promise<CellFactors> {
    this.factors ??= this.readFactors();
    return this.factors;
  }

  cellCovariates(): Promise<CellCovariates> {
    this.covariates ??= this.readCovariates();
    return this.covariates;
  }

  /** Opens an artifact of this job, until the job is closed or sooner. @throws ResultLostError when it is gone */
  async open<Meta>(name: string): Promise<BundleReader<Meta>> {
    const reader = await openArtifact<Meta>(this.store, name);
    this.opened.add(reader);
    // A task that failed leaves others of its reads under way.
    if (this.isClosed) await this.close();
    return reader;
  }

  /** Closes whatever was opened and is kept, the control's objects among it; closing one twice does nothing. */
  async close(): Promise<void> {
    this.isClosed = true;
    await this.contextReader.close();
    await Promise.all(Array.from(this.opened, (reader) => reader.close()));
    this.opened.clear();
  }

  private async readCovariates(): Promise<CellCovariates> {
    const { contextReader: reader } = this;
    return {
      stratum: reader.has('stratum') ? await reader.i32('stratum') : null,
      batch: reader.has('batch') ? await reader.i32('batch') : null,
      continuous: reader.has('covariates') ? await reader.f64('covariates') : null,
    };
  }

  private async readFactors(): Promise<CellFactors> {
    const reader = await this.open<SizeFactorSummary>(SCRATCH_NAMES.sizeFactors);
    try {
      return {
        summary: reader.meta,
        total: await reader.f64('total'),
        sizeFactor: await reader.f64('sizeFactor'),
        nodeSizeFactors: await reader.f64('nodeSizeFactors'),
        groupKept: await reader.u8('groupKept'),
        groupCells: await reader.u32('groupCells'),
        groupNonzeros: await reader.f64('groupNonzeros'),
        geneKept: await reader.u8('geneKept'),
        geneTotal: await reader.f64('geneTotal'),
        quantumExponents: await reader.i32('quantumExponents'),
      };
    } finally {
      await reader.close();
    }
  }
}
