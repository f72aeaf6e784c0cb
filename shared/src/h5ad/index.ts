export * from './types.js';
export * from './write-h5ad.js';
export * from './write-types.js';
export * from './write-csv.js';
export * from './write-parquet.js';
export { readH5adMetadata, readObsColumn } from './read-h5ad-metadata.js';
export { columnLabels, columnTexts, type LabelledRows } from './read-columns.js';
