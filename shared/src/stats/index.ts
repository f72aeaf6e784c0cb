export * from './gene-status.js';
