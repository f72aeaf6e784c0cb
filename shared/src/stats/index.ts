export * from './gene-status.js';
export * from './chebyshev-nodes.js';
export * from './count-histogram.js';
export * from './nb-fit.js';
export * from './simulation-cells.js';
export * from './simulation-model.js';
