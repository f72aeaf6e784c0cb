export * from './heap-rows.js';
export * from './kernel-exports.js';
export * from './kernel-heap.js';
export * from './accumulate-measures.js';
export * from './fit-intercepts.js';
export * from './likelihood-ratio.js';
export * from './node-basis.js';
export * from './profile-grid.js';
