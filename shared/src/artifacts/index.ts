export * from './task-spec.js';
export * from './array-bundle.js';
export * from './cell-design.js';
export * from './job-context.js';
export * from './result-layers.js';
export * from './open-artifact.js';
export * from './task-plan.js';
