export * from './job-events.js';
export { checkInvariants } from './job-invariants.js';
export { fittedParts, type FittedParts } from './fitted-parts.js';
export { historyOf } from './job-history.js';
export { createMachine, step, type StepResult } from './job-machine.js';
export { stateMachinePage } from './job-diagram.js';
export { JOB_MOVES, STAGE_MOVES, TASK_MOVES, type Move } from './job-moves.js';
export * from './job-planner-port.js';
export { isStopping } from './job-stop.js';
export { recordOf, type JobRecord } from './job-record.js';
export { DEFAULT_MACHINE_OPTIONS, type Failure, type MachineOptions, type MachineState } from './job-state.js';
export type { Job, JobStateName, PullId, StageStateName, TaskStateName, WorkerCapabilities } from './job-state.js';
export * from './job-view.js';
export * from './plan-summary.js';
export { outputFiles, scratchBytes, stageCosts, testFileBytes, type JobSize, type StageCost } from './cost-model.js';
export { resolveCovariates, type CovariateColumn, type ResolvedCovariates } from './covariates.js';
export { judgeComparisons } from './judge-comparisons.js';
export { resolveDesign, withoutControl, type Design } from './design.js';
export {
  fitDesignOf,
  halvesOf,
  planControl,
  planGroups,
  planRatios,
  planScan,
  planShrink,
  poolOf,
  sharedReadsOf,
  workOfTask,
  type ClusterShape,
  type GroupSizes,
  type ScanMatrix,
} from './plan-shards.js';
export { finiteRange, keptGroups, meanOfTotals, sizeFactors } from './summarise-scan.js';
export { PRIOR_SCALE_COLUMN, shrinkageRecord, shrinkageUns, type Shrinkage } from './shrinkage.js';
