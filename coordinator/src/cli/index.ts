export * from './cli-context.js';
export * from './coordinator-client.js';
export * from './coordinator-settings.js';
export * from './machine.js';
export * from './program.js';
export type { JobUpdate } from './progress/job-view.js';
export { requireSuccess } from './progress/job-outcome.js';
export { processContext } from './process-context.js';
