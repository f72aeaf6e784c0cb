export * from './held-task.js';
export * from './lifecycle-effect.js';
export * from './lifecycle-event.js';
export * from './lifecycle-state.js';
export * from './step.js';
