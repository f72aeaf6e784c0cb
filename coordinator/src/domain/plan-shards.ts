import type { CellDesign, TaskSpec } from '@shardex/shared/artifacts';
import type { DeParameters } from '@shardex/shared/config';

/** What shard sizes are derived from. Results do not depend on any of it. */
export interface ClusterShape {
  /** Tasks that can run at the same time. */
  readonly slots: number;
  /** Memory one task may plan with, in bytes. */
  readonly memoryBytes: number;
  /** Nonzeros a task should have, where memory allows; absent: by the number of slots, within sensible bounds. */
  readonly taskNonzeros?: number;
}

/** Enough tasks a slot that the last ones to finish leave little idle, few enough that their fixed cost does not show. */
const TASKS_PER_SLOT = 4;
/** Below this a task's fixed cost (opening files, reading headers) outweighs its work. */
const MIN_TASK_NONZEROS = 500_000;
/** Later tasks read some of every scan output, in checked blocks: the more outputs, the more is read in vain. */
const SCAN_TASKS_WANTED = 256;
/** What is larger than so many outputs of the usual size gets larger ones, as far as memory allows. */
const MAX_SCAN_TASKS = 1024;
/** Of the blocks of 256 KiB that hold a task's rows in a scan output half of one is read in vain, worth so many nonzeros. */
const BLOCK_NONZEROS = 65_536;
/** A task decodes all of the pool, at about a tenth of what its genes cost in all: more tasks than this gain little. */
const CONTROL_TASKS_WANTED = 32;
/** Reading the pool's sorted columns, 8 bytes a nonzero, takes as long as fitting so much of it: half a task's time at most. */
const FROZEN_NONZEROS_SHARE = 0.16;
/** Above this a lost task costs more than a minute to repeat. */
const MAX_TASK_NONZEROS = 32_000_000;
/** A scanned nonzero costs about 2.2 bytes encoded, held twice while it is sorted by group; twice as much at most. */
const SCAN_BYTES_PER_NONZERO = 8;
/** Turning columns into rows holds value, index and place of each of a task's nonzeros at once. */
const CSC_BYTES_PER_NONZERO = 28;
/** A fitted nonzero costs its encoded bytes and an f64 rank key. */
const FIT_BYTES_PER_NONZERO = 12;
/** A result costs about 50 bytes a test, held twice while it is committed. */
const FIT_BYTES_PER_RESULT = 300;
/** Ranked columns cost a key, a group and a place each, and the longest of them once more. */
const CONTROL_BYTES_PER_NONZERO = 16;
/** Sixteen nodes of a (stratum, gene), held twice while they are committed. */
const CONTROL_BYTES_PER_STRATUM = 256;
/** U and z of a (group, gene), held twice while they are committed. */
const CONTROL_BYTES_PER_RANK_SUM = 32;
/** A stratum costs the place of a group's keys of one gene. */
const FIT_BYTES_PER_STRATUM = 4;
/** Kernels address 32 bits of memory, whatever a worker has. */
const ADDRESSABLE_BYTES = 4 * 1024 ** 3;
/** Share of a task's memory its data may take; the rest is for the runtime, the heap's fixed buffers and the frozen control. */
const DATA_SHARE = 0.35;

/** A stage's last tasks are small, so that those who end first wait little: the smallest are this share of a slot's work. */
const LAST_TASKS_PER_SLOT = 16;
/** A task takes at most what would fall to a slot of so many times as many. */
const TAPER = 2;

/** Nonzeros a task should have when the work of a stage is `total`. */
const taskTarget = (total: number, { slots, taskNonzeros }: ClusterShape): number =>
  taskNonzeros ?? clamp(total / (slots * TASKS_PER_SLOT), MIN_TASK_NONZEROS, MAX_TASK_NONZEROS);

/**
 * Nonzeros the next task should have when `left` of the stage's work is not planned yet.
 *
 * @param floor - what a smaller task would read in vain would be more than its own
 * @source Polychronopoulos & Kuck 1987, IEEE Trans. Computers C-36:1425 (guided self-scheduling)
 */
function nextTarget(left: number, total: number, cluster: ClusterShape, floor: number): number {
  const most = taskTarget(total, cluster);
  if (cluster.taskNonzeros !== undefined) return most;
  const least = Math.max(MIN_TASK_NONZEROS, total / (cluster.slots * LAST_TASKS_PER_SLOT));
  return Math.max(floor, clamp(left / (cluster.slots * TAPER), Math.min(least, most), most));
}

const clamp = (value: number, low: number, high: number): number => Math.max(low, Math.min(high, value));

/** Nonzeros below which there would be more scan outputs than later tasks can well read from. */
const leastScanned = (total: number): number =>
  Math.max(Math.min(total / SCAN_TASKS_WANTED, MAX_TASK_NONZEROS), total / MAX_SCAN_TASKS);

/** The matrix a scan reads. */
export interface ScanMatrix {
  readonly kind: 'csr' | 'csc' | 'dense';
  readonly nRows: number;
  /** Stored elements: nonzeros of a sparse matrix, rows × columns of a dense one. */
  readonly storedCount: number;
}

/**
 * Rows of the file in runs of about equal numbers of stored elements (an even density is assumed).
 *
 * A matrix stored by columns is decoded whole by every task, so it is cut only as far as slots and memory demand.
 */
export function planScan({ kind, nRows, storedCount }: ScanMatrix, cluster: ClusterShape): TaskSpec[] {
  if (nRows === 0) return [];
  const isByColumns = kind === 'csc';
  const bytesEach = SCAN_BYTES_PER_NONZERO + (isByColumns ? CSC_BYTES_PER_NONZERO : 0);
  const affordable = (cluster.memoryBytes * DATA_SHARE) / bytesEach;
  const specs: TaskSpec[] = [];
  for (let rowBegin = 0; rowBegin < nRows;) {
    const left = storedCount * (1 - rowBegin / nRows);
    const wanted =
      isByColumns && cluster.taskNonzeros === undefined
        ? storedCount / cluster.slots
        : nextTarget(left, storedCount, cluster, leastScanned(storedCount));
    const share = Math.max(1, Math.min(wanted, affordable)) / Math.max(1, storedCount);
    const rowEnd = Math.min(nRows, rowBegin + Math.ceil(nRows * Math.min(1, share)));
    specs.push({ kind: 'scan', rowBegin, rowEnd });
    rowBegin = rowEnd;
  }
  return specs;
}

/** One task a scan output: its rows lie together, and so do the cells it says something about. */
export const planRatios = (scanTasks: number): TaskSpec[] =>
  Array.from({ length: scanTasks }, (_, scan) => ({ kind: 'ratios', scan }));

/** One task a fit output: the perturbations that were fitted together are shrunk together. */
export const planShrink = (fitTasks: number): TaskSpec[] =>
  Array.from({ length: fitTasks }, (_, fit) => ({ kind: 'shrink', fit }));

/** The cells that perturbations are compared with. */
export interface Pool {
  readonly nonzeros: number;
  /** Groups whose rank sums are made with it; none against the control, whose sorted columns every fit looks up. */
  readonly rankedGroups: number;
  /** Combinations of the covariates' levels, each with measures of its own; 0 without covariates. */
  readonly strata: number;
}

/** The control, or with another reference all cells that take part. @param groupNonzeros - of each group, the control first */
export function poolOf(
  { reference, tests }: DeParameters,
  groupNonzeros: ArrayLike<number>,
  { categorical, strata }: CellDesign,
): Pool {
  const inModel = categorical.length > 0 && tests.includes('nb-glm') ? strata.length : 0;
  if (reference === 'control') return { nonzeros: groupNonzeros[0], rankedGroups: 0, strata: inModel };
  const nonzeros = Array.from(groupNonzeros).reduce((sum, own) => sum + own, 0);
  return { nonzeros, rankedGroups: groupNonzeros.length, strata: inModel };
}

/**
 * Runs of genes. Every task decodes all cells of the pool and keeps its genes, so there are as few as memory and slots allow,
 * and not many more than pay.
 */
export function planControl(
  nGenes: number,
  { nonzeros, rankedGroups, strata }: Pool,
  cluster: ClusterShape,
): TaskSpec[] {
  const bytesPerGene = rankedGroups * CONTROL_BYTES_PER_RANK_SUM + strata * CONTROL_BYTES_PER_STRATUM;
  const bytes = nonzeros * CONTROL_BYTES_PER_NONZERO + nGenes * bytesPerGene;
  const forMemory = Math.ceil(bytes / (Math.min(cluster.memoryBytes, ADDRESSABLE_BYTES) * DATA_SHARE));
  const forSize = cluster.taskNonzeros === undefined ? 1 : Math.ceil(nonzeros / cluster.taskNonzeros);
  const tasks = clamp(
    Math.max(forMemory, forSize, Math.min(cluster.slots, CONTROL_TASKS_WANTED)),
    1,
    Math.max(1, nGenes),
  );
  const genesPerTask = Math.ceil(nGenes / tasks);
  const specs: TaskSpec[] = [];
  for (let geneBegin = 0; geneBegin < nGenes; geneBegin += genesPerTask) {
    specs.push({ kind: 'control', geneBegin, geneEnd: Math.min(nGenes, geneBegin + genesPerTask) });
  }
  return specs;
}

/** What a fit does beyond comparing perturbations with the control. */
export interface FitDesign {
  /** The control is tested as a group of its own. */
  readonly testsControl: boolean;
  /** Batches that cells are ranked within; 1 without. */
  readonly strata: number;
}

/** @param strata - levels of the batch column, 1 without */
export const fitDesignOf = ({ reference }: DeParameters, strata: number): FitDesign => ({
  testsControl: reference === 'rest',
  strata,
});

/** What a task over groups reads beside the rows of its groups. */
export interface SharedReads {
  /** Outputs of the scan: a task reads from each. */
  readonly scanTasks: number;
  /** Nonzeros of the pool whose sorted columns every fit reads; 0 when there are none. */
  readonly frozenNonzeros: number;
}

/** @param pool - nonzeros of the cells that perturbations are compared with */
export const sharedReadsOf = ({ reference, tests }: DeParameters, scanTasks: number, pool: number): SharedReads => ({
  scanTasks,
  frozenNonzeros: reference === 'control' && tests.includes('wilcoxon') ? pool : 0,
});

/** Work, in nonzeros, below which a task takes longer to read what is not its own than for its own. */
const leastNonzeros = (kind: 'dispersion' | 'fit', { scanTasks, frozenNonzeros }: SharedReads): number =>
  Math.max(scanTasks * BLOCK_NONZEROS, kind === 'fit' ? frozenNonzeros * FROZEN_NONZEROS_SHARE : 0);

/**
 * Runs of groups of about equal work. A group is never split: it is the unit of summation.
 *
 * @param groupNonzeros - nonzeros of each group; 0 for groups that take no part
 * @param kind - `dispersion` includes the control, group 0; `fit` leaves it out unless the design says otherwise
 * @param reads - what every task reads beside its own rows: the more, the fewer tasks
 */
export function planGroups(
  kind: 'dispersion' | 'fit',
  groupNonzeros: ArrayLike<number>,
  nGenes: number,
  cluster: ClusterShape,
  { testsControl, strata }: FitDesign = { testsControl: false, strata: 1 },
  reads: SharedReads = { scanTasks: 1, frozenNonzeros: 0 },
): TaskSpec[] {
  const firstGroup = kind === 'dispersion' || testsControl ? 0 : 1;
  const bytesPerGene = FIT_BYTES_PER_RESULT + (strata - 1) * FIT_BYTES_PER_STRATUM;
  const nGroups = groupNonzeros.length;
  const sizes = { nonzeros: groupNonzeros, nGenes };
  const workOf = (group: number): number => workOfGroup(kind, sizes, group);
  let total = 0;
  for (let group = firstGroup; group < nGroups; group++) total += workOf(group);
  let left = total;
  const least = leastNonzeros(kind, reads);
  const dataBytes = cluster.memoryBytes * DATA_SHARE;
  const specs: TaskSpec[] = [];
  let groupBegin = firstGroup;
  let work = 0;
  let bytes = 0;
  for (let group = firstGroup; group < nGroups; group++) {
    const groupBytes = kind === 'fit' ? groupNonzeros[group] * FIT_BYTES_PER_NONZERO + nGenes * bytesPerGene : 0;
    const isFull = (): boolean => work + workOf(group) > nextTarget(left, total, cluster, least);
    if (group > groupBegin && (bytes + groupBytes > dataBytes || isFull())) {
      specs.push({ kind, groupBegin, groupEnd: group });
      left -= work;
      groupBegin = group;
      work = 0;
      bytes = 0;
    }
    work += workOf(group);
    bytes += groupBytes;
  }
  if (groupBegin < nGroups) specs.push({ kind, groupBegin, groupEnd: nGroups });
  return specs;
}

/** Nonzeros of each group, and the genes that are tested in each. */
export interface GroupSizes {
  readonly nonzeros: ArrayLike<number>;
  readonly nGenes: number;
}

/**
 * What a task costs relative to the others of its stage, where that is known.
 *
 * @param groups - for stages that run over groups
 */
export function workOfTask(spec: TaskSpec, groups: GroupSizes | null): number {
  switch (spec.kind) {
    case 'scan':
      return spec.rowEnd - spec.rowBegin;
    case 'control':
      return spec.geneEnd - spec.geneBegin;
    case 'dispersion':
    case 'fit': {
      if (groups === null) return spec.groupEnd - spec.groupBegin;
      let work = 0;
      for (let group = spec.groupBegin; group < spec.groupEnd; group++) work += workOfGroup(spec.kind, groups, group);
      return work;
    }
    default:
      return 1;
  }
}

/**
 * What a gene of a group costs, in nonzeros. Dispersion: 44 points of a profile at 36 ns (test/bench/kernels.mjs) against some 16 ns
 * to read and add up a nonzero; fit: as cost-model.ts has it. A share of work depends on it, no result.
 */
const GENE_WORK = { dispersion: 100, fit: 25 } as const;

/** A group costs its nonzeros to read and its genes to fit. */
const workOfGroup = (kind: keyof typeof GENE_WORK, { nonzeros, nGenes }: GroupSizes, group: number): number =>
  nonzeros[group] + GENE_WORK[kind] * nGenes;

/**
 * The two halves of a task's range; null for one unit, and for what has no range.
 *
 * Cutting elsewhere changes no result: sums over cells are made within one (group, gene), and all others are exact.
 */
export function halvesOf(spec: TaskSpec): readonly [TaskSpec, TaskSpec] | null {
  switch (spec.kind) {
    case 'scan': {
      const middle = middleOf(spec.rowBegin, spec.rowEnd);
      return middle === null
        ? null
        : [
            { ...spec, rowEnd: middle },
            { ...spec, rowBegin: middle },
          ];
    }
    case 'control': {
      const middle = middleOf(spec.geneBegin, spec.geneEnd);
      return middle === null
        ? null
        : [
            { ...spec, geneEnd: middle },
            { ...spec, geneBegin: middle },
          ];
    }
    case 'dispersion':
    case 'fit': {
      const middle = middleOf(spec.groupBegin, spec.groupEnd);
      return middle === null
        ? null
        : [
            { ...spec, groupEnd: middle },
            { ...spec, groupBegin: middle },
          ];
    }
    default:
      return null;
  }
}

const middleOf = (begin: number, end: number): number | null =>
  end - begin < 2 ? null : begin + Math.floor((end - begin) / 2);
