import { describe, expect, it } from 'vitest';
import { BundleReader, encodeBundle, type ControlSummary, type TaskSpec } from '@shardex/shared/artifacts';
import { DEFAULT_DE_PARAMETERS, type DeParameters } from '@shardex/shared/config';
import { KernelHeap } from '@shardex/shared/kernels';
import { keptColumns, prepareHeap } from './control-columns.js';
import type { JobData } from './job-data.js';
import type { TaskScope } from './task-scope.js';

const KEYS = [Float64Array.of(0.5, 1, 2), Float64Array.of(0.25)];
const FIT: TaskSpec = { kind: 'fit', groupBegin: 1, groupEnd: 2 };
const SCAN: TaskSpec = { kind: 'scan', rowBegin: 0, rowEnd: 1 };
const BYTES = 32;

/** A job whose control has two outputs of one gene each; `reads` counts those of their keys. */
function jobOf(parameters: Partial<DeParameters> = {}) {
  const reads = { count: 0 };
  const outputs = KEYS.map((keys, gene) => {
    const meta: ControlSummary = { geneBegin: gene, geneEnd: gene + 1, cells: 4, nonzeros: keys.length };
    const keyOffsets = Uint32Array.of(0, keys.length);
    const sums = { nExpressing: Uint32Array.of(keys.length), moments: new Float64Array(4) };
    const parts = encodeBundle(meta, { ...sums, keys, keyOffsets, tieSums: Float64Array.of(gene) });
    return new Uint8Array(Buffer.concat(parts));
  });
  const open = (name: string): Promise<BundleReader<ControlSummary>> => {
    const bytes = outputs[Number(name)];
    return BundleReader.open<ControlSummary>({
      uri: name,
      sizeBytes: bytes.length,
      version: '1',
      readInto: (offset, target) => {
        target.set(bytes.subarray(offset, offset + target.length));
        if (target.buffer instanceof SharedArrayBuffer) reads.count++;
        return Promise.resolve();
      },
      close: () => Promise.resolve(),
    });
  };
  const context = {
    nGenes: 2,
    design: { categorical: [] },
    parameters: { ...DEFAULT_DE_PARAMETERS, tests: ['wilcoxon'], ...parameters },
  };
  const job = { context, kept: new Map(), outputsOf: () => Promise.resolve(['0', '1']), open } as unknown as JobData;
  return { job, reads };
}

const scopeOf = (heap: KernelHeap, job: JobData, spec: TaskSpec, memoryBytes = 1000): TaskScope => ({
  heap,
  job,
  assignment: { scratchUri: 'scratch', spec, output: 'out', memoryBytes },
  runtime: { signal: new AbortController().signal, progress: () => undefined, memoryBytes },
});

describe('the sorted columns of the control', () => {
  it('are read into the heap once for all fits of a job', async () => {
    const heap = KernelHeap.create(2 ** 20);
    const { job, reads } = jobOf();
    await prepareHeap(scopeOf(heap, job, FIT));
    const first = keptColumns(job);
    const mark = heap.mark();
    await prepareHeap(scopeOf(heap, job, FIT));
    expect(keptColumns(job)).toBe(first);
    expect(heap.mark()).toBe(mark);
    expect(reads.count).toBe(2);
    expect(first?.map(([{ keys }]) => keys)).toEqual(KEYS);
    expect(first?.map(([{ offsets, ties, nCells }]) => [[...offsets], [...ties], nCells])).toEqual([
      [[0, 3], [0], 4],
      [[0, 1], [1], 4],
    ]);
  });

  it('give way to tasks that look nothing up, and to other jobs', async () => {
    const heap = KernelHeap.create(2 ** 20);
    const empty = heap.mark();
    const { job, reads } = jobOf();
    await prepareHeap(scopeOf(heap, job, FIT));
    const full = heap.mark();
    expect(full).toBeGreaterThan(empty);
    await prepareHeap(scopeOf(heap, job, SCAN));
    expect(heap.mark()).toBe(empty);
    expect(keptColumns(job)).toBeNull();
    await prepareHeap(scopeOf(heap, job, FIT));
    await prepareHeap(scopeOf(heap, jobOf().job, FIT));
    expect(heap.mark()).toBe(full);
    expect(reads.count).toBe(4);
  });

  it.each<readonly [string, Partial<DeParameters>, number]>([
    ['they are more than a task has memory for', {}, 2 * BYTES],
    ['nothing is ranked', { tests: ['t-test'] }, 1000],
    ['perturbations are compared with other cells', { reference: 'rest' }, 1000],
  ])('are not kept where %s', async (_, parameters, memoryBytes) => {
    const heap = KernelHeap.create(2 ** 20);
    const empty = heap.mark();
    const { job } = jobOf(parameters);
    await prepareHeap(scopeOf(heap, job, FIT, memoryBytes));
    expect(keptColumns(job)).toBeNull();
    expect(heap.mark()).toBe(empty);
  });
});
