export * from './types.js';
export * from './write-h5ad.js';
export * from './write-types.js';
export * from './extend-h5ad.js';
export * from './write-csv.js';
export * from './write-parquet.js';
export { fitRecord } from './write-record-limit.js';
export {
  openH5adMetadata,
  prepareH5adMetadata,
  readH5adMetadata,
  readObsColumn,
  type H5adMetadataSession,
} from './read-h5ad-metadata.js';
export { openCellNames, type CellNames } from './read-cell-names.js';
export { h5wasmSettled } from './h5wasm-module.js';
export { prepareH5adWriting } from './write-hdf5-module.js';
export { columnLabels, columnTexts, type LabelledRows } from './column-texts.js';
export { openRowSource } from './open-row-source.js';
export { readRowOffsets } from './read-indptr.js';
export { packMatrixDescriptor, unpackMatrixDescriptor } from './pack-descriptor.js';
