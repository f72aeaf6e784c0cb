import { writeAddress } from './write-object-header.js';

/**
 * Entries of a full node: twice the default "indexed storage internal node K" of 32, which superblocks of version 0 imply.
 * @source HDF5 File Format Specification 4.0, section II.A
 */
const NODE_ENTRIES = 64;
const NODE_PREFIX_BYTES = 24;
/** Chunk size, filter mask, then one offset for the dimension and one for the element itself. */
const KEY_BYTES = 4 + 4 + 8 + 8;
const NODE_BYTES = NODE_PREFIX_BYTES + (NODE_ENTRIES + 1) * KEY_BYTES + NODE_ENTRIES * 8;
const CHUNK_NODE_TYPE = 1;

/** One stored chunk of a one-dimensional dataset; chunks are given in the order of their elements. */
export interface StoredChunk {
  readonly address: number;
  readonly sizeBytes: number;
}

interface Entry {
  readonly firstChunk: number;
  readonly address: number;
}

/**
 * Lays out the version 1 B-tree that finds the chunks of a one-dimensional dataset.
 *
 * Leaves come first, then each level above them; siblings are linked. A key is the first element of its chunk; the key
 * after the last chunk of the dataset is one chunk past it.
 *
 * @param chunkElements - elements a chunk spans
 * @param baseAddress - where in the file the returned bytes will be placed
 * @returns the nodes' bytes and the root's address; the address is −1, HDF5's "undefined", when there are no chunks
 * @source HDF5 File Format Specification 4.0, section III.A.1
 */
export function encodeChunkIndex(
  chunks: readonly StoredChunk[],
  chunkElements: number,
  baseAddress: number,
): { bytes: Buffer; rootAddress: number } {
  if (chunks.length === 0) return { bytes: Buffer.alloc(0), rootAddress: -1 };
  const levels: Buffer[] = [];
  let levelBase = baseAddress;
  let entries: Entry[] = chunks.map((chunk, i) => ({ firstChunk: i, address: chunk.address }));
  for (let level = 0; level === 0 || entries.length > 1; level++) {
    const nNodes = Math.ceil(entries.length / NODE_ENTRIES);
    const bytes = Buffer.alloc(nNodes * NODE_BYTES);
    const parents: Entry[] = [];
    for (let node = 0; node < nNodes; node++) {
      const own = entries.slice(node * NODE_ENTRIES, (node + 1) * NODE_ENTRIES);
      const begin = node * NODE_BYTES;
      bytes.write('TREE', begin, 'latin1');
      bytes[begin + 4] = CHUNK_NODE_TYPE;
      bytes[begin + 5] = level;
      bytes.writeUInt16LE(own.length, begin + 6);
      writeAddress(bytes, begin + 8, node > 0 ? levelBase + (node - 1) * NODE_BYTES : -1);
      writeAddress(bytes, begin + 16, node + 1 < nNodes ? levelBase + (node + 1) * NODE_BYTES : -1);
      let at = begin + NODE_PREFIX_BYTES;
      for (const entry of own) {
        writeKey(bytes, at, entry.firstChunk, chunks, chunkElements);
        writeAddress(bytes, at + KEY_BYTES, entry.address);
        at += KEY_BYTES + 8;
      }
      const next = entries[(node + 1) * NODE_ENTRIES];
      writeKey(bytes, at, next?.firstChunk ?? chunks.length, chunks, chunkElements);
      parents.push({ firstChunk: own[0].firstChunk, address: levelBase + begin });
    }
    levels.push(bytes);
    levelBase += bytes.length;
    entries = parents;
  }
  return { bytes: Buffer.concat(levels), rootAddress: entries[0].address };
}

function writeKey(
  bytes: Buffer,
  at: number,
  chunk: number,
  chunks: readonly StoredChunk[],
  chunkElements: number,
): void {
  bytes.writeUInt32LE(chunks[chunk]?.sizeBytes ?? 0, at);
  writeAddress(bytes, at + 8, chunk * chunkElements);
}
