import {
  createMachine,
  fitDesignOf,
  planControl,
  planGroups,
  planScan,
  sharedReadsOf,
  step,
  workOfTask,
  type ClusterShape,
  type Effect,
  type Grant,
  type MachineEvent,
  type MachineOptions,
  type MachineState,
  type PlannedTask,
  type StagePlan,
} from '@shardex/coordinator/domain';
import type { TaskSpec } from '@shardex/shared/artifacts';
import { jobId, taskId, workerId, type TaskId, type WorkerId } from '@shardex/shared/ids';
import { EventQueue } from './event-queue.js';
import { groupNonzeros, logNormal, randomFrom, type ScreenShape } from './screens.js';
import { SharedStorage } from './shared-storage.js';
import { PARAMETERS, TaskCosts, type TaskCost } from './task-costs.js';

/** The cluster, and what its parts can do. */
export interface ClusterModel {
  /** Processes of one thread each. */
  readonly workers: number;
  /** Of the storage, in all. */
  readonly bytesPerSecond: number;
  /** Of one worker's or the coordinator's network. */
  readonly bytesPerSecondEach: number;
  /** Time of one answer of the storage, and how many one worker waits for at once. */
  readonly requestSeconds: number;
  readonly requestsAtOnce: number;
  /** Time of the coordinator's one thread for one call, the machine's step included. */
  readonly callSeconds: number;
  /** Memory a task is cut for. */
  readonly taskMemoryBytes: number;
  /** Spread of the workers' speeds: σ of the logarithm. */
  readonly speedSigma: number;
  /** The last worker is this many times as slow as it would be; 1: none is. */
  readonly stragglerFactor: number;
  readonly seed: number;
  readonly options?: Partial<MachineOptions>;
}

export interface StageOutcome {
  readonly name: string;
  readonly seconds: number;
  readonly tasks: number;
  /** Mean of the workers' occupied time over the stage's. */
  readonly busyShare: number;
}

export interface SimulationOutcome {
  readonly seconds: number;
  readonly stages: readonly StageOutcome[];
  readonly bytes: number;
  readonly storageSaturatedSeconds: number;
  /** Time of the coordinator's thread that calls took. */
  readonly coordinatorBusySeconds: number;
  /** The longest that a call had to wait for its turn. */
  readonly longestCallWaitSeconds: number;
  readonly calls: number;
  readonly doubled: number;
  readonly outrun: number;
  /** Compute seconds, at nominal speed, of the attempts whose results were taken, and of all. */
  readonly takenComputeSeconds: number;
  readonly spentComputeSeconds: number;
  /** Real time of the machine's steps; differs from run to run. */
  readonly machine: { readonly steps: number; readonly totalMs: number; readonly longestMs: number };
}

const STAGES: readonly StagePlan[] = [
  { name: 'scan', executor: 'workers' },
  { name: 'size-factors', executor: 'coordinator' },
  { name: 'control', executor: 'workers' },
  { name: 'dispersion', executor: 'workers' },
  { name: 'trend', executor: 'coordinator' },
  { name: 'fit', executor: 'workers' },
  { name: 'merge', executor: 'coordinator' },
];
const JOB = jobId('simulated');
/** The coordinator's ticks. @source coordinator/src/coordinator-server.ts */
const TICKS_PER_LEASE = 20;
/** How long workers wait for a task at the coordinator. */
const PULL_WAIT_SECONDS = 20;

interface SimulatedWorker {
  readonly id: WorkerId;
  readonly slowness: number;
  readonly held: Map<string, { readonly grant: Grant; readonly sinceSeconds: number; readonly expected: number }>;
  pull: number | null;
  occupiedSeconds: number;
  /** Whether the control's sorted columns are in its memory. */
  keepsColumns: boolean;
}

type Happening = MachineEvent extends infer E ? (E extends MachineEvent ? Omit<E, 'atMs'> : never) : never;

/** Runs one job on a simulated cluster: the machine and the planner are those of the coordinator, all else is arithmetic. */
export function simulateCluster(screen: ScreenShape, model: ClusterModel): SimulationOutcome {
  return new Simulation(screen, model).run();
}

class Simulation {
  private readonly queue = new EventQueue();
  private readonly storage: SharedStorage;
  private readonly costs: TaskCosts;
  private readonly workers = new Map<WorkerId, SimulatedWorker>();
  private readonly machine: MachineState;
  private readonly abandoned = new Set<string>();
  private readonly tasksOf = new Map<string, number>();
  private readonly occupiedAtStart = new Map<string, number>();
  private readonly busyShares = new Map<string, number>();
  private now = 0;
  private coordinatorFree = 0;
  private lastPull = 0;
  /** Groups of each fit whose rows the coordinator has yet to write. */
  private readonly rowsToWrite: number[] = [];
  private isWriting = false;
  private whenRowsAreWritten: (() => void) | null = null;
  private endedAt: number | null = null;
  private readonly count = { calls: 0, doubled: 0, outrun: 0, steps: 0 };
  private readonly sum = { busy: 0, wait: 0, taken: 0, spent: 0, realMs: 0, longestMs: 0 };

  constructor(
    private readonly screen: ScreenShape,
    private readonly model: ClusterModel,
  ) {
    this.storage = new SharedStorage(model.bytesPerSecond, model.bytesPerSecondEach);
    this.costs = new TaskCosts(screen, groupNonzeros(screen, model.seed));
    this.machine = createMachine(model.options);
    const random = randomFrom(model.seed + 1);
    for (let i = 0; i < model.workers; i++) {
      const slow = i === model.workers - 1 ? model.stragglerFactor : 1;
      const id = workerId(`w${i}`);
      const slowness = slow * logNormal(random, model.speedSigma);
      this.workers.set(id, { id, slowness, held: new Map(), pull: null, occupiedSeconds: 0, keepsColumns: false });
    }
  }

  run(): SimulationOutcome {
    const spec = { parameters: PARAMETERS, existingOutput: 'refuse' } as const;
    const prepared = { stages: STAGES, params: PARAMETERS, warnings: [] };
    this.apply({ kind: 'jobSubmitted', jobId: JOB, spec, prepared });
    const { leaseMs, heartbeatMs } = this.machine.options;
    const beat = heartbeatMs / 1000;
    [...this.workers.values()].forEach((worker, i) => {
      // They do not all come at once, and neither do their heartbeats.
      const at = (beat * i) / this.workers.size;
      const capabilities = { version: '', host: worker.id, pid: i, threads: 1, memoryBytes: 0 };
      this.call(at, () => this.apply({ kind: 'workerRegistered', workerId: worker.id, capabilities }));
      this.call(at, () => this.pull(worker));
      this.every(beat, at + beat, () => this.call(this.now, () => this.heartbeat(worker)));
    });
    const tick = leaseMs / 1000 / TICKS_PER_LEASE;
    this.every(tick, tick, () => this.apply({ kind: 'tick' }));
    while (this.endedAt === null) {
      const transfer = this.storage.nextEnd();
      if (transfer < this.queue.nextAt()) {
        this.now = transfer;
        this.storage.endNext();
      } else {
        this.now = this.queue.nextAt();
        this.queue.runNext();
      }
    }
    return this.outcome(this.endedAt);
  }

  private every(periodSeconds: number, firstSeconds: number, act: () => void): void {
    this.queue.add(firstSeconds, () => {
      act();
      this.every(periodSeconds, firstSeconds + periodSeconds, act);
    });
  }

  /** A call of a worker: its turn comes when the coordinator's thread has dealt with those before. */
  private call(atSeconds: number, act: () => void): void {
    this.queue.add(atSeconds, () => {
      const begin = Math.max(this.now, this.coordinatorFree);
      this.coordinatorFree = begin + this.model.callSeconds;
      this.count.calls += 1;
      this.sum.busy += this.model.callSeconds;
      this.sum.wait = Math.max(this.sum.wait, begin - this.now);
      this.queue.add(this.coordinatorFree, act);
    });
  }

  private apply(event: Happening): readonly Effect[] {
    const began = performance.now();
    const { effects } = step(this.machine, { ...event, atMs: this.now * 1000 });
    const tookMs = performance.now() - began;
    this.count.steps += 1;
    this.sum.realMs += tookMs;
    this.sum.longestMs = Math.max(this.sum.longestMs, tookMs);
    for (const effect of effects) this.perform(effect);
    return effects;
  }

  private perform(effect: Effect): void {
    switch (effect.kind) {
      case 'planStage': {
        const { stage } = effect;
        const tasks = this.plan(stage);
        this.tasksOf.set(stage, tasks.length);
        // The plan is one object on scratch, and each output is asked for.
        this.queue.add(this.now + 0.05 + (tasks.length * this.model.requestSeconds) / this.model.requestsAtOnce, () => {
          this.occupiedAtStart.set(stage, this.occupied());
          this.apply({ kind: 'stagePlanned', jobId: JOB, stage, tasks });
        });
        break;
      }
      case 'runReduction':
        this.reduce(effect.stage);
        break;
      case 'grant':
        this.begin(effect.grant);
        break;
      case 'log':
        if (effect.entry.kind === 'task-doubled') this.count.doubled += 1;
        if (effect.entry.kind === 'task-outrun') this.count.outrun += 1;
        if (effect.entry.kind === 'stage-done') this.endStage(String(effect.entry.stage));
        if (effect.entry.kind === 'job-succeeded') this.endedAt = this.now;
        if (effect.entry.kind === 'job-failed') throw new Error(`the simulated job failed: ${effect.entry.text}`);
        break;
      default:
        break;
    }
  }

  private plan(stage: string): PlannedTask[] {
    const { screen, costs, model } = this;
    const cluster: ClusterShape = { slots: model.workers, memoryBytes: model.taskMemoryBytes };
    const sizes = { nonzeros: costs.groups, nGenes: screen.genes };
    const specs = this.cut(stage, cluster);
    if (stage === 'scan') costs.scanTasks = specs.length;
    return specs.map((spec, i) => ({
      taskId: taskId(`${JOB}/${stage}/${i}`),
      spec,
      scratchUri: '/scratch',
      output: `${stage}/${i}`,
      memoryBytes: model.taskMemoryBytes,
      work: workOfTask(spec, sizes),
    }));
  }

  private cut(stage: string, cluster: ClusterShape): TaskSpec[] {
    const { screen, costs } = this;
    switch (stage) {
      case 'scan':
        return planScan({ kind: 'csr', nRows: screen.cells, storedCount: costs.totalNonzeros }, cluster);
      case 'control':
        return planControl(screen.genes, { nonzeros: costs.groups[0], rankedGroups: 0, strata: 0 }, cluster);
      case 'dispersion':
      case 'fit':
        return planGroups(
          stage,
          costs.groups,
          screen.genes,
          cluster,
          fitDesignOf(PARAMETERS, 1),
          sharedReadsOf(PARAMETERS, costs.scanTasks, costs.groups[0]),
        );
      default:
        throw new Error(`${stage} is not cut into tasks`);
    }
  }

  /** The coordinator writes the rows of fits as they are done, one after the other. */
  private writeRows(): void {
    const groups = this.rowsToWrite.shift();
    this.isWriting = groups !== undefined;
    if (groups === undefined) this.whenRowsAreWritten?.();
    else this.transfer(this.costs.rowsOf(groups), () => this.writeRows());
  }

  private transfer({ bytes, requests, computeSeconds }: TaskCost, done: () => void): void {
    const waited = (requests * this.model.requestSeconds) / this.model.requestsAtOnce;
    this.storage.start(bytes, this.now, (at) => this.queue.add(at + waited + computeSeconds, done));
  }

  private reduce(stage: string): void {
    if (stage === 'merge' && this.isWriting) {
      this.whenRowsAreWritten = () => this.reduce(stage);
      return;
    }
    const before = { 'size-factors': 'scan', trend: 'dispersion', merge: 'fit' }[stage] ?? '';
    this.transfer(this.costs.reduction(stage, this.tasksOf.get(before) ?? 0), () => {
      this.apply({ kind: 'reductionDone', jobId: JOB, stage, report: { warnings: [] } });
    });
  }

  private pull(worker: SimulatedWorker): void {
    const pullId = (this.lastPull += 1);
    worker.pull = pullId;
    this.apply({ kind: 'pullRequested', workerId: worker.id, pullId });
    this.queue.add(this.now + PULL_WAIT_SECONDS, () => {
      if (worker.pull !== pullId) return;
      this.apply({ kind: 'pullEnded', pullId });
      this.call(this.now, () => this.pull(worker));
    });
  }

  /** Reads, computes, reports. What it writes passes through the storage with what it reads. */
  private begin(grant: Grant): void {
    const worker = this.workers.get(grant.workerId);
    if (worker === undefined) return;
    worker.pull = null;
    const { computeSeconds, bytes, requests } = this.costs.of(grant.spec, worker.keepsColumns);
    worker.keepsColumns ||= grant.spec.kind === 'fit' && this.costs.areColumnsKept(this.model.taskMemoryBytes);
    const waited = (requests * this.model.requestSeconds) / this.model.requestsAtOnce;
    const sinceSeconds = this.now;
    const key = keyOf(grant);
    const ownSeconds = waited + computeSeconds * worker.slowness;
    worker.held.set(key, { grant, sinceSeconds, expected: ownSeconds + bytes / this.model.bytesPerSecondEach });
    this.sum.spent += computeSeconds;
    this.storage.start(bytes, this.now, (at) => {
      this.queue.add(at + ownSeconds, () => this.end(worker, grant, computeSeconds, sinceSeconds));
    });
  }

  private end(worker: SimulatedWorker, grant: Grant, computeSeconds: number, sinceSeconds: number): void {
    const key = keyOf(grant);
    // Given up meanwhile: the thread was ended then, and the worker asked for another task.
    if (this.abandoned.delete(key)) return;
    worker.held.delete(key);
    worker.occupiedSeconds += this.now - sinceSeconds;
    const { taskId: id, attempt, output } = grant;
    const figures = {
      bytesRead: 0,
      bytesWritten: 0,
      nonzeros: 0,
      fits: 0,
      warnings: [],
      wallMs: 0,
      peakResidentBytes: 0,
    };
    this.call(this.now, () => {
      const event = {
        kind: 'taskCompleted',
        workerId: worker.id,
        taskId: id,
        attempt,
        report: { output, ...figures },
      } as const;
      const answer = this.apply(event).find((effect) => effect.kind === 'reportAnswered');
      if (answer?.accepted !== true) return;
      this.sum.taken += computeSeconds;
      const { spec } = grant;
      if (spec.kind !== 'fit') return;
      this.rowsToWrite.push(spec.groupEnd - spec.groupBegin);
      if (!this.isWriting) this.writeRows();
    });
    this.call(this.now, () => this.pull(worker));
  }

  private heartbeat(worker: SimulatedWorker): void {
    const progress = [...worker.held.values()].map(({ grant, sinceSeconds, expected }) => {
      return {
        taskId: grant.taskId,
        attempt: grant.attempt,
        fraction: Math.min(0.99, (this.now - sinceSeconds) / expected),
      };
    });
    const answer = this.apply({ kind: 'heartbeat', workerId: worker.id, progress, residentBytes: 0 }).find(
      (effect) => effect.kind === 'heartbeatAnswered',
    );
    for (const id of answer?.abandon ?? []) this.letGo(worker, id);
  }

  private letGo(worker: SimulatedWorker, id: TaskId): void {
    for (const [key, { grant, sinceSeconds }] of worker.held) {
      if (grant.taskId !== id) continue;
      worker.held.delete(key);
      worker.occupiedSeconds += this.now - sinceSeconds;
      this.abandoned.add(key);
      this.call(this.now, () => this.pull(worker));
    }
  }

  private occupied(): number {
    let sum = 0;
    for (const { occupiedSeconds, held } of this.workers.values()) {
      sum += occupiedSeconds;
      for (const { sinceSeconds } of held.values()) sum += this.now - sinceSeconds;
    }
    return sum;
  }

  private endStage(stage: string): void {
    const began = this.machine.jobs.get(JOB)?.stages.find(({ name }) => name === stage)?.startedMs ?? 0;
    const span = (this.now - began / 1000) * this.workers.size;
    const occupied = this.occupied() - (this.occupiedAtStart.get(stage) ?? this.occupied());
    this.busyShares.set(stage, span === 0 ? 0 : occupied / span);
  }

  private outcome(endedAt: number): SimulationOutcome {
    const stages = this.machine.jobs.get(JOB)?.stages ?? [];
    return {
      seconds: endedAt,
      stages: stages.map(({ name, startedMs, endedMs }) => ({
        name,
        seconds: ((endedMs ?? 0) - (startedMs ?? 0)) / 1000,
        tasks: this.tasksOf.get(name) ?? 0,
        busyShare: this.busyShares.get(name) ?? 0,
      })),
      bytes: this.storage.totalBytes,
      storageSaturatedSeconds: this.storage.saturatedSeconds,
      coordinatorBusySeconds: this.sum.busy,
      longestCallWaitSeconds: this.sum.wait,
      calls: this.count.calls,
      doubled: this.count.doubled,
      outrun: this.count.outrun,
      takenComputeSeconds: this.sum.taken,
      spentComputeSeconds: this.sum.spent,
      machine: { steps: this.count.steps, totalMs: this.sum.realMs, longestMs: this.sum.longestMs },
    };
  }
}

const keyOf = ({ taskId: id, attempt }: Grant): string => `${id}#${attempt}`;
