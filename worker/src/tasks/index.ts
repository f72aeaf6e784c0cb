import type { TaskAssignment, TaskReport } from '@shardex/shared/artifacts';
import { KernelHeap } from '@shardex/shared/kernels';
import { commitOutput, type TaskOutput } from './commit.js';
import type { RunTask } from './contract.js';
import { prepareHeap } from './control-columns.js';
import { runControl } from './control.js';
import { runDispersion } from './dispersion.js';
import { runFit } from './fit.js';
import { JobData } from './job-data.js';
import { runRatios } from './ratios.js';
import { runScan } from './scan.js';
import { runShrink } from './shrink.js';
import type { TaskScope } from './task-scope.js';

export type { RunTask, TaskRuntime } from './contract.js';

/** The kernels' memory of this thread, made with its first task. */
let heap: KernelHeap | null = null;

/** The job this thread worked for last: its next task is most likely of the same one. */
let current: { readonly scratchUri: string; readonly job: Promise<JobData> } | null = null;

/** Runs one task: computes, commits the output as one object, and reports. Equal tasks commit equal bytes. */
export const runTask: RunTask = async (assignment, runtime) => {
  heap ??= KernelHeap.create(runtime.memoryBytes);
  const job = await jobOf(assignment.scratchUri);
  try {
    return await runOn({ job, heap, assignment, runtime });
  } catch (error) {
    // Whatever went wrong, the next attempt reads everything afresh.
    current = null;
    await job.close();
    throw error;
  }
};

async function runOn(scope: TaskScope): Promise<TaskReport> {
  const { job, heap, assignment } = scope;
  await prepareHeap(scope);
  const mark = heap.mark();
  try {
    const output = await compute(scope);
    await commitOutput(job.store, assignment.output, output.parts);
    return report(assignment, output);
  } finally {
    heap.release(mark);
  }
}

async function jobOf(scratchUri: string): Promise<JobData> {
  if (current?.scratchUri !== scratchUri) {
    const previous = current;
    current = { scratchUri, job: JobData.open(scratchUri) };
    await previous?.job.then((job) => job.close()).catch(() => undefined);
  }
  const { job } = current;
  try {
    return await job;
  } catch (error) {
    // What is missing now may be there again when the next task comes.
    current = null;
    throw error;
  }
}

function compute(scope: TaskScope): Promise<TaskOutput> {
  const { spec } = scope.assignment;
  switch (spec.kind) {
    case 'scan':
      return runScan(scope, spec);
    case 'ratios':
      return runRatios(scope, spec);
    case 'control':
      return runControl(scope, spec);
    case 'dispersion':
      return runDispersion(scope, spec);
    case 'fit':
      return runFit(scope, spec);
    case 'shrink':
      return runShrink(scope, spec);
  }
}

const report = (assignment: TaskAssignment, output: TaskOutput): TaskReport => ({
  output: assignment.output,
  bytesRead: output.bytesRead,
  bytesWritten: output.parts.reduce((sum, part) => sum + part.byteLength, 0),
  nonzeros: output.nonzeros,
  fits: output.fits,
  warnings: output.warnings,
});
