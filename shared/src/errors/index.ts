export * from './shardex-error.js';
export * from './families.js';
export * from './from-system-error.js';
