export * from './job-events.js';
export { checkInvariants } from './job-invariants.js';
export { historyOf } from './job-history.js';
export { createMachine, step, type StepResult } from './job-machine.js';
export { JOB_MOVES, STAGE_MOVES, TASK_MOVES, type Move } from './job-moves.js';
export * from './job-planner-port.js';
export { DEFAULT_MACHINE_OPTIONS, type Failure, type MachineOptions, type MachineState } from './job-state.js';
export type { JobStateName, PullId, StageStateName, TaskStateName, WorkerCapabilities } from './job-state.js';
export * from './job-view.js';
