export * from './run-worker.js';
export * from './worker-settings.js';
