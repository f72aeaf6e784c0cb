import type { StageName } from '@shardex/shared/artifacts';
import type { DeParameters } from '@shardex/shared/config';
import { joinUri } from '@shardex/shared/storage';
import {
  type ClusterShape,
  fitDesignOf,
  type JobSize,
  outputFiles,
  type PlanCluster,
  planControl,
  type PlanEstimate,
  planGroups,
  type PlannedStage,
  planScan,
  poolOf,
  type PlanSummary,
  scratchBytes,
  stageCosts,
} from '../../domain/index.js';
import { existingResults } from './job-folder.js';
import { stagesOf } from './plan-stages.js';
import { readInput, type ResolvedInput } from './read-input.js';

const SHARDED_OVER: Readonly<Partial<Record<StageName, string>>> = {
  scan: 'rows',
  ratios: 'rows',
  control: 'genes',
  dispersion: 'perturbations',
  fit: 'perturbations',
  shrink: 'perturbations',
};

/** Numbers of workers an estimate is given for, beside the one that was asked for. */
const ESTIMATED_WORKERS = [1, 2, 4, 8, 16, 64];

/** Starting processes, reading metadata, scheduling: seconds a job takes however small it is. */
const FIXED_SECONDS = 2;

/** What `shardex plan` says: the job as it would be cut and what it would cost. Starts and writes nothing. */
export async function planJob(parameters: DeParameters, cluster: PlanCluster): Promise<PlanSummary> {
  const input = await readInput(parameters);
  const size = sizeOf(input);
  const present = new Set(await existingResults(parameters.output));
  const stages = plannedStages(input, size, cluster);
  const workersAsked = [...new Set([...ESTIMATED_WORKERS, cluster.workers])].sort((a, b) => a - b);
  const estimates = workersAsked.map((workers) => estimate(input, size, { ...cluster, workers }));
  const selected = input.design.cells.reduce((sum, cells) => sum + cells, 0);
  return {
    parameters: input.parameters,
    inputBytes: size.inputBytes,
    cells: size.cells,
    genes: size.genes,
    nonzeros: size.nonzeros,
    perturbations: size.groups - 1,
    controlCells: input.design.cells[0],
    excludedCells: size.cells - selected,
    inputScale: input.inputScale,
    cluster,
    stages,
    scratchBytes: scratchBytes(parameters, size),
    outputs: outputFiles(parameters, size).map(({ name, bytes }) => ({
      path: joinUri(parameters.output, name),
      bytes,
      exists: present.has(name),
    })),
    seconds: totalSeconds(stages),
    estimates,
    notes: input.warnings,
  };
}

function sizeOf({ descriptor, metadata, design, covariates, parameters }: ResolvedInput): JobSize {
  const stored = descriptor.kind === 'dense' ? descriptor.nRows * descriptor.nColumns : descriptor.nonzeroCount;
  return {
    inputBytes: metadata.sizeBytes,
    nonzeros: stored,
    cells: descriptor.nRows,
    genes: descriptor.nColumns,
    groups: design.labels.length,
    poolShare: poolOf(parameters, design.cells, covariates.design).nonzeros / descriptor.nRows,
  };
}

function plannedStages(input: ResolvedInput, size: JobSize, cluster: PlanCluster): PlannedStage[] {
  const shape: ClusterShape = { slots: cluster.workers, memoryBytes: cluster.memoryBytes };
  const costs = stageCosts(input.parameters, size);
  const density = size.nonzeros / size.cells;
  const groupNonzeros = Float64Array.from(input.design.cells, (cells) => cells * density);
  const tasksOf = (name: StageName): number => {
    if (name === 'scan' || name === 'ratios')
      return planScan({ kind: input.descriptor.kind, nRows: size.cells, storedCount: size.nonzeros }, shape).length;
    if (name === 'control')
      return planControl(size.genes, poolOf(input.parameters, groupNonzeros, input.covariates.design), shape).length;
    if (name === 'shrink') return tasksOf('fit');
    if (name === 'dispersion' || name === 'fit') {
      const design = fitDesignOf(input.parameters, input.covariates.design.batch?.levels.length ?? 1);
      return planGroups(name, groupNonzeros, size.genes, shape, design).length;
    }
    return 1;
  };
  return stagesOf(input.parameters).map(({ name, executor }) => {
    const stage = name as StageName;
    const tasks = tasksOf(stage);
    const { bytesRead, coreSeconds } = costs[stage];
    return {
      name: stage,
      runsOn: executor,
      shardedOver: SHARDED_OVER[stage] ?? '',
      tasks,
      memoryBytes: cluster.memoryBytes,
      bytesRead: Math.ceil(bytesRead),
      seconds: executor === 'coordinator' ? coreSeconds : coreSeconds / Math.min(cluster.workers, tasks),
    };
  });
}

const totalSeconds = (stages: readonly PlannedStage[]): number =>
  FIXED_SECONDS + stages.reduce((sum, stage) => sum + stage.seconds, 0);

function estimate(input: ResolvedInput, size: JobSize, cluster: PlanCluster): PlanEstimate {
  const seconds = totalSeconds(plannedStages(input, size, cluster));
  return { workers: cluster.workers, seconds, coreHours: (seconds * cluster.workers) / 3600 };
}
