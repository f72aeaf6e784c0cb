export * from './heap-rows.js';
export * from './kernel-exports.js';
export * from './kernel-heap.js';
