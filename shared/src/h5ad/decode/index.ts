export { chunkMapOf, type ChunkMap } from './chunk-map.js';
export { openChunkStream } from './chunk-stream.js';
export type { ChunkStream, ChunkStreamOptions } from './chunk-stream-contract.js';
export { ElementConverter, newValueArray, valueArrayOf, type ElementArray } from './element-converter.js';
export { ElementWindow } from './element-window.js';
