import { ChunkDecoder } from '../decode/chunk-decoder.js';
import { chunkMapOf } from '../decode/chunk-map.js';
import type { DatasetDescriptor } from '../types.js';
import { ByteCursor } from './byte-cursor.js';
import { readStringReferences } from './dataset-descriptor.js';
import type { Hdf5Bytes } from './hdf5-bytes.js';

/** A reference to a string: its length, the address of a heap, its number there. */
const REFERENCE_BYTES = 16;
/** Usual size of a heap; larger ones are read a second time. */
const HEAP_BYTES = 4096;
const HEAP_HEADER_BYTES = 16;
const OBJECT_HEADER_BYTES = 16;

/**
 * Strings of variable length read without the HDF5 library, whose LZF plugin aborts on them: it guesses the size of a
 * decompressed chunk from the size of a pointer and fails when the guess is too small.
 *
 * @param address - of the dataset's object header
 * @param path - of the dataset, for error messages
 * @throws CorruptDataError when a string is not where it should be
 * @source HDF5 File Format Specification 4.0, sections III.E (global heap) and IV.B
 */
export async function readVariableStrings(file: Hdf5Bytes, address: number, path: string): Promise<string[]> {
  const dataset = await readStringReferences(file, address, path);
  const references = new ByteCursor(await readWhole(file, dataset), `the strings of ${path}`);
  const [count] = dataset.shape;
  const places = Array.from({ length: count }, () => ({
    length: references.u32(),
    heap: references.u64(),
    object: references.u32(),
  }));
  const heaps = await readHeaps(file, new Set(places.filter(({ length }) => length > 0).map(({ heap }) => heap)), path);
  const decoder = new TextDecoder();
  return places.map(({ length, heap, object }) => {
    if (length === 0) return '';
    const bytes = heaps.get(heap)?.get(object);
    if (bytes === undefined || bytes.length < length) throw references.corrupt('point to nothing');
    const text = bytes.subarray(0, length);
    const zero = text.indexOf(0);
    return decoder.decode(zero < 0 ? text : text.subarray(0, zero));
  });
}

/** All bytes of a dataset whose pieces are whole rows. */
async function readWhole(file: Hdf5Bytes, dataset: DatasetDescriptor): Promise<Uint8Array> {
  const map = chunkMapOf(dataset);
  const label = file.source.uri;
  const decoder = new ChunkDecoder(dataset.filters, REFERENCE_BYTES, map.chunkBytes, label, dataset.path);
  const whole = new Uint8Array(map.count * map.chunkBytes);
  if (map.inline !== null) return map.inline;
  for (let chunk = 0; chunk < map.count; chunk++) {
    const address = map.offsetOf(chunk);
    if (address < 0) continue;
    const stored = new Uint8Array(map.sizeOf(chunk));
    await file.source.readInto(address, stored);
    const target = whole.subarray(chunk * map.chunkBytes, (chunk + 1) * map.chunkBytes);
    if (dataset.layout.kind === 'chunked') decoder.decode(stored, map.maskOf(chunk), chunk, target);
    else target.set(stored);
  }
  return whole;
}

/** The objects of each heap by their numbers. */
async function readHeaps(
  file: Hdf5Bytes,
  addresses: ReadonlySet<number>,
  path: string,
): Promise<Map<number, Map<number, Uint8Array>>> {
  const wanted = [...addresses];
  const first = await file.readMany(wanted.map((address) => ({ address, length: HEAP_BYTES })));
  const heaps = new Map<number, Map<number, Uint8Array>>();
  for (let i = 0; i < wanted.length; i++) {
    const what = `a heap of strings of ${path}`;
    const header = new ByteCursor(first[i], what);
    header.expect('GCOL');
    header.skip(4); // version, reserved
    const size = header.u64();
    const bytes = size <= first[i].length ? first[i] : await file.read(wanted[i], size);
    heaps.set(wanted[i], parseHeap(new ByteCursor(bytes, what, HEAP_HEADER_BYTES), size));
  }
  return heaps;
}

function parseHeap(cursor: ByteCursor, size: number): Map<number, Uint8Array> {
  const objects = new Map<number, Uint8Array>();
  while (cursor.position + OBJECT_HEADER_BYTES <= size) {
    const number = cursor.u16();
    cursor.skip(6); // number of references, reserved
    const length = cursor.u64();
    if (number === 0) break; // the free space at the end
    objects.set(number, cursor.slice(length));
    cursor.position = Math.ceil(cursor.position / 8) * 8;
  }
  return objects;
}
