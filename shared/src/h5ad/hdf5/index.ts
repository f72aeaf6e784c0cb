export { Hdf5Bytes } from './hdf5-bytes.js';
export { readDatasetDescriptor } from './dataset-descriptor.js';
export { filterName } from './messages.js';
export { readVariableStrings } from './variable-strings.js';
