export * from './types.js';
export * from './write-h5ad.js';
export * from './write-types.js';
