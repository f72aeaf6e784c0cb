import type { DeParameters } from '@shardex/shared/config';
import type { StageName } from '@shardex/shared/artifacts';

/** The workers a plan is made for. */
export interface PlanCluster {
  readonly workers: number;
  /** Memory of one worker, in bytes. */
  readonly memoryBytes: number;
}

export interface PlannedStage {
  readonly name: StageName;
  readonly runsOn: 'workers' | 'coordinator';
  /** What a task is a share of, as "rows", "genes" or "perturbations"; empty on the coordinator. */
  readonly shardedOver: string;
  readonly tasks: number;
  /** Largest memory one task is expected to take, in bytes. */
  readonly memoryBytes: number;
  /** Bytes read from the input or from scratch by all tasks together. */
  readonly bytesRead: number;
  /** Expected wall-clock time on the cluster, in seconds. */
  readonly seconds: number;
}

export interface PlannedOutput {
  readonly path: string;
  readonly bytes: number;
  /** There is one already: the run would refuse, replace it with --force, or keep it with --resume. */
  readonly exists: boolean;
}

/** How long the job would take on another number of workers. */
export interface PlanEstimate {
  readonly workers: number;
  readonly seconds: number;
  readonly coreHours: number;
}

/** What `shardex plan` says: everything about a job that can be known without starting it. */
export interface PlanSummary {
  /** The parameters with what was detected filled in. */
  readonly parameters: DeParameters;
  readonly inputBytes: number;
  readonly cells: number;
  readonly genes: number;
  readonly nonzeros: number;
  /** Perturbations that are tested, the control not counted. */
  readonly perturbations: number;
  readonly controlCells: number;
  /** Cells without a label, or of a perturbation that is not asked for. */
  readonly excludedCells: number;
  readonly inputScale: 'counts' | 'log1p';
  readonly cluster: PlanCluster;
  readonly stages: readonly PlannedStage[];
  /** Peak of intermediate files, in bytes. */
  readonly scratchBytes: number;
  readonly outputs: readonly PlannedOutput[];
  /** Whole job on `cluster`, in seconds. */
  readonly seconds: number;
  /** For a few numbers of workers, ascending, `cluster.workers` among them. */
  readonly estimates: readonly PlanEstimate[];
  /** What was detected and what a user should know, one sentence each. */
  readonly notes: readonly string[];
}
