import { BundleReader, encodeBundle, type ScanSummary } from '@shardex/shared/artifacts';
import { StorageUnavailableError } from '@shardex/shared/errors';
import { KernelHeap } from '@shardex/shared/kernels';
import type { ByteSource } from '@shardex/shared/storage';
import { describe, expect, it } from 'vitest';
import { GroupRows } from './group-rows.js';

const N_GENES = 4;
/** A scan's rows: cell `rowId` of group 0 with one count of 3 in gene 1. */
const scanOf = (rowId: number): Uint8Array =>
  Buffer.concat(
    encodeBundle(null, {
      groupRows: Uint32Array.of(0, 1),
      rowIds: Uint32Array.of(rowId),
      rowOffsets: Uint32Array.of(0, 2),
      rowNonzeros: Uint32Array.of(1),
      rows: Uint8Array.of(1, 3),
    }),
  );

/** A source whose reads of a bundle's last bytes, its rows, wait for `gate`. */
const sourceOf = (bytes: Uint8Array, gate: Promise<void>): ByteSource => ({
  uri: 'memory',
  sizeBytes: bytes.length,
  version: '1',
  readInto: async (offset, target) => {
    const isRows = target.length === 2;
    if (isRows) await gate;
    target.set(bytes.subarray(offset, offset + target.length));
  },
  close: () => Promise.resolve(),
});

const open = async (heap: KernelHeap, sources: readonly ByteSource[], prefetchBytes = 1e6): Promise<GroupRows> => {
  const scans = await Promise.all(sources.map((source) => BundleReader.open<ScanSummary>(source)));
  const cells = { total: Float64Array.of(3, 3), sizeFactor: Float64Array.of(0.5, 2) };
  const { signal } = new AbortController();
  return GroupRows.open(heap, scans, cells, 0, 1, { kind: 'count', nGenes: N_GENES, prefetchBytes, signal });
};

describe('the rows of a group', () => {
  it.each([
    ['read ahead into the heap', 1e6],
    ['read ahead beside a heap that is full', 1e6, 0],
    ['streamed', 0],
  ])('come in the order of the file when they are %s', async (_, prefetchBytes, bytesLeft = 2 ** 20) => {
    const sources = [0, 1].map((rowId) => sourceOf(scanOf(rowId), Promise.resolve()));
    const trial = KernelHeap.create();
    await open(trial, sources, 0);
    const heap = KernelHeap.create();
    heap.uninitialised(Uint8Array, heap.bytesAvailable - (trial.bytesInUse - heap.bytesInUse) - bytesLeft);
    const rows = await open(heap, sources, prefetchBytes);
    if (prefetchBytes > 0) expect(heap.bytesAvailable < bytesLeft).toBe(bytesLeft > 0);
    const found: number[][] = [];
    for await (const { rows: block, cells, sizeFactors } of rows.blocks(0)) {
      const counts = 'counts' in block ? block.counts : expect.fail('no counts');
      found.push([cells[0], sizeFactors[0], block.indices[0], counts[0]]);
    }
    expect(found).toEqual([[0, 0.5, 1, 3], [1, 2, 1, 3]]); // prettier-ignore
    expect(rows.bytesRead).toBe(4);
  });

  it('are not still being read into the heap once one of them has failed', async () => {
    let release = (): void => undefined;
    const slow = new Promise<void>((resolve) => (release = resolve));
    const broken = Promise.reject(new StorageUnavailableError('the disk is gone'));
    broken.catch(() => undefined);
    const order: string[] = [];
    const opened = open(KernelHeap.create(), [sourceOf(scanOf(0), slow), sourceOf(scanOf(1), broken)]);
    const failed = opened.catch((error: unknown) => void order.push(String(error)));
    await broken.catch(() => undefined);
    await new Promise((resolve) => setImmediate(resolve));
    order.push('released');
    release();
    await failed;
    expect(order).toEqual(['released', 'StorageUnavailable: the disk is gone']);
  });
});
