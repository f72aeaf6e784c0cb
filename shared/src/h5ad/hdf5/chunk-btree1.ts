import { ByteCursor } from './byte-cursor.js';
import type { ChunkTable } from './chunk-table.js';
import type { Hdf5Bytes } from './hdf5-bytes.js';

/** Entries of a node unless the file was made with other settings; larger nodes are read a second time. */
const USUAL_ENTRIES = 64;
const NODE_HEADER_BYTES = 24;
const CHUNK_NODE = 1;
/** A tree of 64 entries a node has 5 levels for 2^30 chunks; more than this is a cycle. */
const MAX_LEVELS = 32;

/**
 * Walks a version 1 B-tree of chunks, one level at a time with the reads of a level in flight together.
 *
 * @throws CorruptDataError when a node is not what it should be
 * @source HDF5 File Format Specification 4.0, section III.A.1
 */
export async function readBtree1(file: Hdf5Bytes, root: number, table: ChunkTable): Promise<void> {
  const what = `the chunk index of ${table.path}`;
  const rank = table.shape.length;
  const keyBytes = 8 + 8 * (rank + 1);
  const nodeBytes = (entries: number): number => NODE_HEADER_BYTES + entries * (keyBytes + 8) + keyBytes;
  const place = new Array<number>(rank);
  let addresses = [root];
  for (let depth = 0; addresses.length > 0; depth++) {
    const nodes = await file.readMany(addresses.map((address) => ({ address, length: nodeBytes(USUAL_ENTRIES) })));
    const children: number[] = [];
    for (let i = 0; i < nodes.length; i++) {
      let cursor = new ByteCursor(nodes[i], what);
      cursor.expect('TREE');
      if (cursor.u8() !== CHUNK_NODE || depth > MAX_LEVELS) throw cursor.corrupt('is not a tree of chunks');
      const level = cursor.u8();
      const entries = cursor.u16();
      if (entries > USUAL_ENTRIES) cursor = new ByteCursor(await file.read(addresses[i], nodeBytes(entries)), what);
      cursor.position = NODE_HEADER_BYTES;
      for (let entry = 0; entry < entries; entry++) {
        const bytes = cursor.u32();
        const mask = cursor.u32();
        for (let d = 0; d < rank; d++) place[d] = Math.floor(cursor.u64() / table.chunkShape[d]);
        cursor.skip(8); // the offset in the dimension that stands for the element's bytes: always 0
        const address = cursor.u64();
        if (level === 0) table.set(table.positionOf(place), address, bytes, mask);
        else children.push(address);
      }
    }
    addresses = children;
  }
}
