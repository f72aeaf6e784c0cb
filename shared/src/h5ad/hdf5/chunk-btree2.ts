import { ByteCursor } from './byte-cursor.js';
import type { ChunkTable } from './chunk-table.js';
import type { Hdf5Bytes } from './hdf5-bytes.js';

const HEADER_BYTES = 38;
/** Signature, version, type in front of a node's records. */
const NODE_PREFIX_BYTES = 6;
const NODE_OVERHEAD_BYTES = NODE_PREFIX_BYTES + 4;
/** Record type of chunks that went through filters. */
const FILTERED_CHUNKS = 11;

/**
 * Walks a version 2 B-tree of chunks: what HDF5 1.10 and later write for datasets that grow in several dimensions.
 *
 * @param chunkBytes - of a chunk that has not been filtered
 * @source HDF5 File Format Specification 4.0, section III.A.2
 */
export async function readBtree2(
  file: Hdf5Bytes,
  address: number,
  table: ChunkTable,
  chunkBytes: number,
): Promise<void> {
  const what = `the chunk index of ${table.path}`;
  const rank = table.shape.length;
  const header = new ByteCursor(await file.read(address, HEADER_BYTES), what);
  header.expect('BTHD');
  header.skip(1);
  const filtered = header.u8() === FILTERED_CHUNKS;
  const nodeBytes = header.u32();
  const recordBytes = header.u16();
  const depth = header.u16();
  header.skip(2);
  const root = header.u64();
  const rootRecords = header.u16();
  if (root < 0 || rootRecords === 0) return;

  const place = new Array<number>(rank);
  const takeRecord = (cursor: ByteCursor): void => {
    const chunkAddress = cursor.u64();
    const bytes = filtered ? cursor.unsigned(recordBytes - 8 * rank - 12) : chunkBytes;
    const mask = filtered ? cursor.u32() : 0;
    for (let d = 0; d < rank; d++) place[d] = cursor.u64();
    table.set(table.positionOf(place), chunkAddress, bytes, mask);
  };
  const pointers = pointerWidths(nodeBytes, recordBytes, depth);
  let level = [{ address: root, records: rootRecords }];
  for (let height = depth; height >= 0; height--) {
    const nodes = await file.readMany(level.map((node) => ({ address: node.address, length: nodeBytes })));
    const children: { address: number; records: number }[] = [];
    for (let i = 0; i < nodes.length; i++) {
      const cursor = new ByteCursor(nodes[i], what);
      cursor.expect(height > 0 ? 'BTIN' : 'BTLF');
      cursor.position = NODE_PREFIX_BYTES;
      for (let record = 0; record < level[i].records; record++) takeRecord(cursor);
      if (height === 0) continue;
      for (let child = 0; child <= level[i].records; child++) {
        children.push({ address: cursor.u64(), records: cursor.unsigned(pointers.records) });
        if (height > 1) cursor.skip(pointers.totals[height - 1]);
      }
    }
    level = children;
  }
}

/** Bytes of the two counts in a child pointer: records in the child, and (by its height) records below it. */
function pointerWidths(nodeBytes: number, recordBytes: number, depth: number): { records: number; totals: number[] } {
  const leafMost = Math.floor((nodeBytes - NODE_OVERHEAD_BYTES) / recordBytes);
  const records = bytesFor(leafMost);
  const totals = [0];
  let most = leafMost;
  for (let height = 1; height <= depth; height++) {
    const pointerBytes = 8 + records + totals[height - 1];
    const nodeMost = Math.floor((nodeBytes - NODE_OVERHEAD_BYTES - pointerBytes) / (recordBytes + pointerBytes));
    most = (nodeMost + 1) * most + nodeMost;
    totals.push(bytesFor(most));
  }
  return { records, totals };
}

const bytesFor = (value: number): number => Math.ceil((Math.floor(Math.log2(value)) + 1) / 8);
