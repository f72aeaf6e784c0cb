export * from './compute-pool.js';
export * from './resident-memory.js';
