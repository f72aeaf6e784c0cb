export { chunkMapOf, type ChunkMap } from './chunk-map.js';
export { openChunkStream, type ChunkStream, type ChunkStreamOptions } from './chunk-stream.js';
export { ElementConverter, newValueArray, type ElementArray } from './element-converter.js';
export { ElementWindow } from './element-window.js';
