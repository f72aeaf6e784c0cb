import type { TaskAssignment, TaskReport, TaskSpec } from '../artifacts/index.js';
import { InvalidInputError } from '../errors/index.js';
import {
  LeaseSchema,
  TaskReportSchema,
  create,
  type Lease,
  type MessageInitShape,
  type TaskReport as WireReport,
} from '@shardex/proto';

/** One attempt at one task, as both sides speak of it. */
export interface GrantedTask extends TaskAssignment {
  readonly jobId: string;
  readonly stage: string;
  readonly taskId: string;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** W3C trace context of the attempt; absent or '': none. */
  readonly traceParent?: string;
}

/** A task's report with what its worker measured around it. */
export interface MeasuredReport extends TaskReport {
  readonly wallMs: number;
  /** Largest resident set of the worker while the task ran. */
  readonly peakResidentBytes: number;
}

/** A granted task as it travels; `leaseFromWire` gives it back unchanged. */
export function leaseToWire(task: GrantedTask): Lease {
  return create(LeaseSchema, {
    taskId: task.taskId,
    attempt: task.attempt,
    jobId: task.jobId,
    stage: task.stage,
    scratchUri: task.scratchUri,
    output: task.output,
    memoryBytes: toUint64(task.memoryBytes),
    spec: specToWire(task.spec),
    traceParent: task.traceParent ?? '',
  });
}

/** @throws InvalidInputError when the lease carries no work this version knows */
export function leaseFromWire(lease: Lease): GrantedTask {
  return {
    taskId: lease.taskId,
    attempt: lease.attempt,
    jobId: lease.jobId,
    stage: lease.stage,
    scratchUri: lease.scratchUri,
    output: lease.output,
    memoryBytes: Number(lease.memoryBytes),
    spec: specFromWire(lease),
    ...(lease.traceParent === '' ? {} : { traceParent: lease.traceParent }),
  };
}

type WireSpec = NonNullable<MessageInitShape<typeof LeaseSchema>['spec']>;

function specToWire(spec: TaskSpec): WireSpec {
  switch (spec.kind) {
    case 'scan':
      return { case: 'scan', value: { rowBegin: toUint64(spec.rowBegin), rowEnd: toUint64(spec.rowEnd) } };
    case 'ratios':
      return { case: 'ratios', value: { scan: spec.scan } };
    case 'control':
      return { case: 'control', value: { geneBegin: spec.geneBegin, geneEnd: spec.geneEnd } };
    case 'dispersion':
      return { case: 'dispersion', value: { groupBegin: spec.groupBegin, groupEnd: spec.groupEnd } };
    case 'fit':
      return { case: 'fit', value: { groupBegin: spec.groupBegin, groupEnd: spec.groupEnd } };
    case 'shrink':
      return { case: 'shrink', value: { fit: spec.fit } };
  }
}

function specFromWire({ taskId, spec }: Lease): TaskSpec {
  switch (spec.case) {
    case 'scan':
      return { kind: 'scan', rowBegin: Number(spec.value.rowBegin), rowEnd: Number(spec.value.rowEnd) };
    case 'ratios':
      return { kind: 'ratios', scan: spec.value.scan };
    case 'control':
      return { kind: 'control', geneBegin: spec.value.geneBegin, geneEnd: spec.value.geneEnd };
    case 'dispersion':
      return { kind: 'dispersion', groupBegin: spec.value.groupBegin, groupEnd: spec.value.groupEnd };
    case 'fit':
      return { kind: 'fit', groupBegin: spec.value.groupBegin, groupEnd: spec.value.groupEnd };
    case 'shrink':
      return { kind: 'shrink', fit: spec.value.fit };
    case undefined:
      throw new InvalidInputError(`task ${taskId} carries no work that this version knows`, {
        hint: 'use the same version of shardex on both sides',
      });
  }
}

/** A report as it travels; fractions of a byte or of a count cannot occur and are rounded away if they do. */
export function reportToWire(report: MeasuredReport): WireReport {
  return create(TaskReportSchema, {
    output: report.output,
    bytesRead: toUint64(report.bytesRead),
    bytesWritten: toUint64(report.bytesWritten),
    nonzeros: toUint64(report.nonzeros),
    fits: toUint64(report.fits),
    warnings: [...report.warnings],
    wallMs: report.wallMs,
    peakResidentBytes: toUint64(report.peakResidentBytes),
  });
}

export function reportFromWire(report: WireReport): MeasuredReport {
  return {
    output: report.output,
    bytesRead: Number(report.bytesRead),
    bytesWritten: Number(report.bytesWritten),
    nonzeros: Number(report.nonzeros),
    fits: Number(report.fits),
    warnings: report.warnings,
    wallMs: report.wallMs,
    peakResidentBytes: Number(report.peakResidentBytes),
  };
}

const toUint64 = (value: number): bigint => (value > 0 ? BigInt(Math.round(value)) : 0n);
