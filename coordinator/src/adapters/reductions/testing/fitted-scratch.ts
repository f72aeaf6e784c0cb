import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  encodeBundle,
  fitArrayName,
  NO_COVARIATES,
  resultLayers,
  SCRATCH_NAMES,
  type ComparisonTrend,
  type ControlSummary,
  type FitSummary,
  type JobContext,
  type SizeFactorSummary,
  type TrendSummary,
} from '@shardex/shared/artifacts';
import { DEFAULT_DE_PARAMETERS, type DeParameters } from '@shardex/shared/config';
import { H5adFileWriter, readH5adMetadata } from '@shardex/shared/h5ad';
import { openStore, type ObjectStore } from '@shardex/shared/storage';
import { openScope, type ReductionScope } from '../scratch.js';
import type { JobHistory } from '../../../domain/index.js';

export const NO_HISTORY: JobHistory = {
  submittedUnixMs: 0,
  startedUnixMs: 0,
  stages: [],
  workers: [],
  warnings: [],
};

const GENES = 7;
/** Group 3 was dropped by a filter. */
const KEPT = [1, 1, 1, 0, 1, 1, 1, 1];
const RESULT_GROUPS = [1, 2, 4, 5, 6, 7];
const DTYPES = { f32: Float32Array, f64: Float64Array, u8: Uint8Array, i32: Int32Array } as const;

/** A job's scratch when its fits are done, with made-up numbers: a value depends on its group, gene and layer alone. */
export class FittedScratch {
  private constructor(
    readonly context: JobContext,
    readonly store: ObjectStore,
    private readonly uri: string,
    private readonly trendOf: ((group: number) => ComparisonTrend) | null,
  ) {}

  /** @param trendOf - what the fits say of each group's own dispersions */
  static async make(
    folder: string,
    parameters: Partial<DeParameters> = {},
    trendOf: ((group: number) => ComparisonTrend) | null = null,
  ): Promise<FittedScratch> {
    const [input, output, uri] = ['screen.h5ad', 'results', 'scratch'].map((name) => join(folder, name));
    await mkdir(output, { recursive: true });
    const cells = KEPT.flatMap((_, group) => [group, group]);
    await writeCells(input, cells.length);
    const metadata = await readH5adMetadata(input, { varNames: false, obsNamesAddress: true });
    const context: JobContext = {
      version: '0.0.0',
      parameters: { ...DEFAULT_DE_PARAMETERS, perturbationColumn: 'perturbation', ...parameters, input, output },
      inputScale: 'counts',
      nCells: cells.length,
      nGenes: GENES,
      groupLabels: KEPT.map((_, group) => (group === 0 ? 'control' : `KO${group}`)),
      design: NO_COVARIATES,
      inputVersion: metadata.version,
      inputBytes: 0,
      cellNamesAddress: metadata.obsNamesAddress,
      geneNames: Array.from({ length: GENES }, (_, gene) => `GENE${gene}`),
      warnings: [],
      matrix: null,
    };
    const scratch = new FittedScratch(context, openStore(uri), uri, trendOf);
    await scratch.commitBefore(cells);
    return scratch;
  }

  get output(): string {
    return this.context.parameters.output;
  }

  /** What a task over groups [begin, end) leaves. @returns the name of the output */
  async commitFit(begin: number, end: number): Promise<string> {
    const { parameters } = this.context;
    const groups = RESULT_GROUPS.filter((group) => group >= begin && group < end);
    const arrays = parameters.tests.flatMap((test) =>
      resultLayers(test, parameters)
        .filter(({ merged }) => merged !== true)
        .map(({ name, dtype }, layer) => {
          const valueOf = (group: number, gene: number): number => {
            // Some genes were not tested.
            if (name.startsWith('pvalue')) return (group + gene) % 5 === 0 ? NaN : ((group * 31 + gene * 17) % 97) / 97;
            return dtype === 'u8' ? gene % 2 : group * 100 + gene * 10 + layer;
          };
          const values = groups.flatMap((group) => Array.from({ length: GENES }, (_, gene) => valueOf(group, gene)));
          return [fitArrayName(test, name), DTYPES[dtype].from(values)] as const;
        }),
    );
    const meta: FitSummary = {
      groups,
      cells: groups.map((group) => group + 1),
      notConverged: { count: 0, first: [] },
      statuses: {},
      trends: this.trendOf === null ? null : groups.map(this.trendOf),
    };
    const name = `fit/${begin}-${end}.bundle`;
    await this.store.commit(name, encodeBundle(meta, Object.fromEntries(arrays)));
    return name;
  }

  /** What a reduction finds. @param fits - names of the fit outputs, in order */
  scope(fits: readonly string[], isCancelled = (): boolean => false): Promise<ReductionScope> {
    const outputs = { control: [SCRATCH_NAMES.task('control', 0)], fit: fits };
    const nothing = (): void => undefined;
    return openScope(this.uri, outputs, nothing, isCancelled, async () => undefined);
  }

  private async commitBefore(cells: readonly number[]): Promise<void> {
    const { context, store } = this;
    const n = cells.length;
    await store.commit(SCRATCH_NAMES.context, encodeBundle(context, { group: Int32Array.from(cells) }));
    const factors: SizeFactorSummary = {
      keptCells: n,
      nodes: { count: 1, logMin: 0, logMax: 0, bound: 0 },
      scanTasks: 1,
      nonzeros: 0,
      warnings: [],
      contentHash: '',
      qc: { cellsFewGenes: 0, cellsEmpty: 0, cellsUnlabelled: 0, perturbationsDropped: ['KO3'], genesDropped: 0 },
    };
    const ofCells = {
      total: new Float64Array(n).fill(5),
      nGenes: new Uint32Array(n).fill(3),
      sizeFactor: new Float64Array(n).fill(1),
      kept: new Uint8Array(n).fill(1),
    };
    const ofGroups = { groupCells: new Uint32Array(KEPT.length).fill(2), groupKept: Uint8Array.from(KEPT) };
    await store.commit(SCRATCH_NAMES.sizeFactors, encodeBundle(factors, { ...ofCells, ...ofGroups }));
    const control: ControlSummary = { geneBegin: 0, geneEnd: GENES, cells: 2, nonzeros: 0 };
    const measures = { nExpressing: new Uint32Array(GENES).fill(1), moments: new Float64Array(4 * GENES).fill(2) };
    await store.commit(SCRATCH_NAMES.task('control', 0), encodeBundle(control, measures));
    const trend: TrendSummary = { trendKind: 'mean', trendCoefficients: [1, 0], priorVariance: 1, warnings: [] };
    const dispersions = new Float64Array(GENES).fill(0.5);
    const ofGenes = { final: dispersions, trend: dispersions, genewise: dispersions };
    await store.commit(SCRATCH_NAMES.trend, encodeBundle(trend, ofGenes));
  }
}

/** A file of which only the names of the cells are read: its matrix is empty. */
async function writeCells(path: string, count: number): Promise<void> {
  const names = Array.from({ length: count }, (_, cell) => `CELL${cell}`);
  const writer = await H5adFileWriter.create(path, {
    obs: { index: names, columns: {} },
    var: { index: ['GENE0'], columns: {} },
    uns: {},
    csr: { chunkElements: 8, gzipLevel: 1 },
  });
  await writer.csrAppender().append(new Int32Array(0), new Float32Array(0), new Int32Array(count));
  await writer.close();
}
