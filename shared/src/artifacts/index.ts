export * from './task-spec.js';
