import type { DeParameters } from '../config/index.js';
import type { CellDesign } from './cell-design.js';

/**
 * Names of the objects in a job's scratch store. Task outputs are numbered within their stage as it was first planned;
 * the halves of a task have its number with -0 and -1. Which there are says the plan of the stage.
 */
export const SCRATCH_NAMES = {
  context: 'context.bundle',
  geneMeans: 'gene-means.bundle',
  sizeFactors: 'size-factors.bundle',
  trend: 'trend.bundle',
  shrinkPrior: 'shrink-prior.bundle',
  plan: (stage: string): string => `plans/${stage}.json`,
  task: (stage: string, ordinal: number): string => `${stage}/${String(ordinal).padStart(6, '0')}.bundle`,
} as const;

/** The stages of a job in order; a job leaves out those that its parameters do not ask for. */
export const STAGES = [
  'scan',
  'gene-means',
  'ratios',
  'size-factors',
  'control',
  'dispersion',
  'trend',
  'fit',
  'shrink-prior',
  'shrink',
  'merge',
] as const;
export type StageName = (typeof STAGES)[number];

/**
 * What every task of a job needs to know, written once by the planner.
 *
 * Arrays beside this header: `group` i32 (nCells; −1 = takes no part, 0 = control, 1 … P = perturbation), those that
 * `CellDesign` lists, and the chunk index of the matrix, as `describeForTransport` of the h5ad room lays it out.
 */
export interface JobContext {
  readonly version: string;
  readonly parameters: DeParameters;
  readonly inputScale: 'counts' | 'log1p';
  readonly nCells: number;
  readonly nGenes: number;
  /** Label of group g: [control, first perturbation, …] in order of first appearance. */
  readonly groupLabels: readonly string[];
  readonly design: CellDesign;
  /** Version of the input when the job was planned; a task that finds another refuses to mix them. */
  readonly inputVersion: string;
  readonly inputBytes: number;
  /** Where the file has its cells' names, as `H5adMetadata.obsNamesAddress`. */
  readonly cellNamesAddress: number | null;
  readonly geneNames: readonly string[];
  /** What was said when the job was planned, one sentence each. */
  readonly warnings: readonly string[];
  /** The matrix descriptor with its arrays replaced by names of arrays in this bundle. */
  readonly matrix: unknown;
}

/** Header of a `scan` output; its arrays are listed at `ScanArrays`. */
export interface ScanSummary {
  readonly rowBegin: number;
  readonly rowEnd: number;
  readonly nonzeros: number;
  /** Rows written to scratch: labelled and not dropped by the cell filter. */
  readonly keptRows: number;
  readonly emptyCells: number;
  readonly fewGenesCells: number;
  /** SHA-256 of every compressed chunk whose first element lies in these rows: [dataset, chunk, hex]. */
  readonly chunkHashes: readonly (readonly [string, number, string])[];
}

/**
 * Arrays of a `scan` output (n = rowEnd − rowBegin, k = keptRows, G = genes, P + 1 = groups):
 * `total` f64 n, `nGenes` u32 n, `kept` u8 n, `geneTotal` f64 G, `geneCells` u32 G, `groupRows` u32 P + 2 (first kept row of
 * each group), `rowIds` u32 k (row in the file), `rowOffsets` u32 k + 1 (bytes into `rows`), `rowNonzeros` u32 k,
 * `rows` u8 (compact rows sorted by group, then by row). With size factors by median of ratios also `geneLogSums` f64 G:
 * Σ log y over the kept cells, in quanta of `LogCountSums`.
 */
export const SCAN_ARRAYS = [
  'total',
  'nGenes',
  'kept',
  'geneTotal',
  'geneCells',
  'groupRows',
  'rowIds',
  'rowOffsets',
  'rowNonzeros',
  'rows',
] as const;

/** Header of the `gene-means` artifact. Arrays: `logProfile` f64 G (NaN: takes no part), `groupKept` u8 P + 1. */
export interface GeneMeansSummary {
  /** Genes that take part in the ratios. */
  readonly genes: number;
  readonly warnings: readonly string[];
}

/** Header of a `ratios` output. Array: `median` f64 rowEnd − rowBegin, in file order; NaN for cells that take no part. */
export interface RatiosSummary {
  readonly rowBegin: number;
  readonly rowEnd: number;
}

/** Chebyshev nodes as they travel: see `NodeSet` of the stats room. */
export interface NodeSummary {
  readonly count: number;
  readonly logMin: number;
  readonly logMax: number;
  readonly bound: number;
}

/**
 * Header of the `size-factors` artifact. Arrays: `sizeFactor` f64 nCells (NaN where not kept), `kept` u8 nCells, `total` f64
 * nCells, `nGenes` u32 nCells, `groupCells` u32 P + 1, `groupNonzeros` f64 P + 1, `groupKept` u8 P + 1, `geneKept` u8 G,
 * `geneTotal` f64 G, `geneCells` u32 G, `nodeSizeFactors` f64 K, `quantumExponents` i32 G.
 */
export interface SizeFactorSummary {
  readonly keptCells: number;
  readonly nodes: NodeSummary;
  readonly scanTasks: number;
  readonly nonzeros: number;
  readonly warnings: readonly string[];
  readonly contentHash: string;
  readonly qc: {
    readonly cellsFewGenes: number;
    readonly cellsEmpty: number;
    readonly cellsUnlabelled: number;
    readonly perturbationsDropped: readonly string[];
    readonly genesDropped: number;
  };
}
