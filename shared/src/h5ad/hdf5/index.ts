export { Hdf5Bytes } from './hdf5-bytes.js';
export { readDatasetDescriptor } from './dataset-descriptor.js';
export { filterName } from './messages.js';
export { VariableStrings } from './variable-strings.js';
