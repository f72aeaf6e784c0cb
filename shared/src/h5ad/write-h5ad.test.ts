import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { File, ready } from 'h5wasm/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  InvalidInputError,
  InvariantBrokenError,
  ResourceExhaustedError,
  UnsupportedDataError,
} from '../errors/index.js';
import { encodeChunkIndex } from './write-chunk-index.js';
import { H5adFileWriter } from './write-h5ad.js';
import type { H5adSkeleton } from './write-types.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shardex-write-h5ad-'));
  await ready;
});
afterAll(() => rm(folder, { recursive: true }));

const names = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${prefix}${i}`);
const skeletonOf = (nObs: number, nVar: number, rest: Partial<H5adSkeleton> = {}): H5adSkeleton => ({
  obs: { index: names('cell', nObs), columns: {} },
  var: { index: names('gene', nVar), columns: {} },
  uns: {},
  ...rest,
});
/** Reads a dataset with the HDF5 library, an implementation that knows nothing of ours. */
const read = (path: string, dataset: string): unknown => {
  const file = new File(path, 'r');
  try {
    return (file.get(dataset) as unknown as { value: unknown }).value;
  } finally {
    file.close();
  }
};
const hash = async (path: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
const leftovers = async (inside = folder): Promise<string[]> =>
  (await readdir(inside)).filter((name) => name.startsWith('.'));

async function writeExample(path: string): Promise<void> {
  const writer = await H5adFileWriter.create(path, {
    obs: {
      index: ['a', 'b', 'é'],
      columns: {
        group: { kind: 'categorical', categories: ['x', 'y'], codes: new Int8Array([0, 1, -1]) },
        size: { kind: 'numeric', values: new Float64Array([1, NaN, 3]) },
        label: { kind: 'strings', values: ['', 'q', '中'] },
      },
    },
    var: { index: ['g1', 'g2'], columns: {} },
    uns: {
      method: 'nb-glm',
      alpha: 0.05,
      seed: 7n,
      tie: true,
      left_out: null,
      list: ['p', 'q'],
      nested: { empty: {} },
    },
    varm: { truth: { columns: 2, dtype: 'f32' } },
    dense: {
      layers: [
        { name: 'pvalue', dtype: 'f64' },
        { name: 'status', dtype: 'u8' },
      ],
    },
    csr: { chunkElements: 2, gzipLevel: 4 },
  });
  await writer.writeRows('varm/truth', 0, new Float32Array([1, 2, 3, 4]));
  await Promise.all([
    writer.writeRows('layers/pvalue', 1, new Float64Array([1e-300, 2, NaN, 4])),
    writer.writeRows('layers/pvalue', 0, new Float64Array([8, 9])),
    writer.writeRows('layers/status', 0, new Uint8Array([1, 2, 3, 4, 5, 6])),
  ]);
  const matrix = writer.csrAppender();
  await matrix.append(new Int32Array([0, 1, 1]), new Float32Array([1, 2, 3]), new Int32Array([2, 1]));
  await matrix.append(new Int32Array([0]), new Float32Array([4]), new Int32Array([1]));
  await writer.close();
}

describe('an h5ad file being written', () => {
  it('reads back as it was given, through the HDF5 library', async () => {
    const path = join(folder, 'example.h5ad');
    await writeExample(path);
    expect(read(path, 'obs/_index')).toEqual(['a', 'b', 'é']);
    expect(read(path, 'obs/label')).toEqual(['', 'q', '中']);
    expect(read(path, 'obs/group/codes')).toEqual(new Int8Array([0, 1, -1]));
    expect(read(path, 'obs/size')).toEqual(new Float64Array([1, NaN, 3]));
    expect(read(path, 'uns/seed')).toBe(7n);
    expect(read(path, 'uns/list')).toEqual(['p', 'q']);
    expect(read(path, 'layers/pvalue')).toEqual(new Float64Array([8, 9, 1e-300, 2, NaN, 4]));
    expect(read(path, 'layers/status')).toEqual(new Uint8Array([1, 2, 3, 4, 5, 6]));
    expect(read(path, 'varm/truth')).toEqual(new Float32Array([1, 2, 3, 4]));
    expect(read(path, 'X/data')).toEqual(new Float32Array([1, 2, 3, 4]));
    expect(read(path, 'X/indices')).toEqual(new Int32Array([0, 1, 1, 0]));
    expect(read(path, 'X/indptr')).toEqual(new Int32Array([0, 2, 3, 4]));
  });

  it('has the same bytes when it is written again at another time', async () => {
    const [first, second] = [join(folder, 'first.h5ad'), join(folder, 'second.h5ad')];
    const now = Date.now;
    try {
      await writeExample(first);
      Date.now = () => now() + 1e9;
      await writeExample(second);
    } finally {
      Date.now = now;
    }
    expect(await hash(second)).toBe(await hash(first));
  });

  it('has the same bytes whatever bits its NaNs have', async () => {
    const hashOf = async (high: number): Promise<string> => {
      const path = join(folder, `nan-${high}.h5ad`);
      const nan = (): Float64Array => new Float64Array(Uint32Array.of(1, high).buffer);
      const single = (): Float32Array => new Float32Array(Uint32Array.of(high).buffer);
      const groups = { kind: 'rec-array', fields: { one: single(), two: single() } } as const;
      const writer = await H5adFileWriter.create(path, {
        ...skeletonOf(1, 1, { uns: { groups, more: { ...groups, fields: { one: nan() } } } }),
        obs: { index: ['a'], columns: { size: { kind: 'numeric', values: nan() } } },
        dense: { layers: [{ name: 'pvalue', dtype: 'f64' }] },
      });
      await writer.writeRows('layers/pvalue', 0, nan());
      await writer.close();
      return hash(path);
    };
    expect(await hashOf(0xffffffff)).toBe(await hashOf(0x7ff80001));
  });

  it('has the same bytes however the CSR rows are grouped, over many chunks', async () => {
    const rowNnz = Int32Array.from({ length: 900 }, (_, row) => row % 5);
    const nnz = rowNnz.reduce((sum, count) => sum + count, 0);
    const values = Float32Array.from({ length: nnz }, (_, i) => i);
    const indices = Int32Array.from({ length: nnz }, (_, i) => i % 7);
    const write = async (path: string, rowsPerCall: number): Promise<void> => {
      const writer = await H5adFileWriter.create(
        path,
        skeletonOf(900, 7, { csr: { chunkElements: 10, gzipLevel: 1 } }),
      );
      const matrix = writer.csrAppender();
      for (let row = 0, at = 0; row < 900; row += rowsPerCall) {
        const counts = rowNnz.subarray(row, row + rowsPerCall);
        const end = at + counts.reduce((sum, count) => sum + count, 0);
        await matrix.append(indices.subarray(at, end), values.subarray(at, end), counts);
        at = end;
      }
      await writer.close();
    };
    const [one, many] = [join(folder, 'one.h5ad'), join(folder, 'many.h5ad')];
    await write(one, 900);
    await write(many, 7);
    expect(await hash(many)).toBe(await hash(one));
    // 180 chunks: two levels of the index.
    expect(read(one, 'X/data')).toEqual(values);
    expect(read(one, 'X/indices')).toEqual(indices);
  });

  it('may be a matrix without nonzeros, or a table without rows', async () => {
    const path = join(folder, 'empty.h5ad');
    const sparse = await H5adFileWriter.create(path, skeletonOf(2, 3, { csr: { chunkElements: 8, gzipLevel: 1 } }));
    await sparse.csrAppender().append(new Int32Array(0), new Float32Array(0), new Int32Array(2));
    await sparse.close();
    expect(read(path, 'X/data')).toEqual(new Float32Array(0));
    expect(read(path, 'X/indptr')).toEqual(new Int32Array(3));
    const dense = await H5adFileWriter.create(path, skeletonOf(0, 3, { dense: { X: 'f32', layers: [] } }));
    await dense.close();
    expect(read(path, 'X')).toEqual(new Float32Array(0));
  });

  it('holds the rec-arrays of rank_genes_groups, and refuses more groups than HDF5 can describe', async () => {
    const path = join(folder, 'groups.h5ad');
    const groupsOf = (count: number): H5adSkeleton =>
      skeletonOf(1, 1, {
        uns: {
          rank_genes_groups: {
            names: {
              kind: 'rec-array',
              fields: Object.fromEntries(names('KO', count).map((ko) => [ko, ['g1', 'g2']])),
            },
            scores: {
              kind: 'rec-array',
              fields: Object.fromEntries(names('KO', count).map((ko) => [ko, new Float32Array([2, 1])])),
            },
          },
        },
      });
    const writer = await H5adFileWriter.create(path, groupsOf(1000));
    await writer.close();
    expect((read(path, 'uns/rank_genes_groups/names') as unknown[][])[1]).toEqual(Array(1000).fill('g2'));
    await expect(H5adFileWriter.create(path, groupsOf(1100))).rejects.toThrow(UnsupportedDataError);
    expect(await leftovers()).toEqual([]);
  });
});

describe('a file that is described anew', () => {
  const describedBy = (note: string): H5adSkeleton =>
    skeletonOf(2, 3, { uns: { note }, dense: { X: 'f32', layers: [{ name: 'pvalue', dtype: 'f64' }] } });
  const fill = async (writer: H5adFileWriter): Promise<void> => {
    await writer.writeRows('X', 0, new Float32Array([1, 2, 3, 4, 5, 6]));
    await writer.writeRows('layers/pvalue', 0, new Float64Array([6, 5, 4, 3, 2, 1]));
  };

  it.each([
    ['as long a text', 'b'.repeat(5000), 0],
    ['a shorter one, of which nothing longer is left', 'b', 0],
    ['a longer one that fits into the room kept for it', 'b'.repeat(20_000), 60_000],
  ])('keeps its rows with %s', async (_, note, spareBytes) => {
    const [before, after] = [join(folder, 'before.h5ad'), join(folder, 'after.h5ad')];
    const early = await H5adFileWriter.create(before, describedBy('a'.repeat(5000)), spareBytes);
    await fill(early);
    expect(await early.describe(describedBy(note))).toBe(true);
    await early.close();
    const late = await H5adFileWriter.create(after, describedBy('a'.repeat(5000)), spareBytes);
    expect(await late.describe(describedBy(note))).toBe(true);
    await fill(late);
    await late.close();
    expect(await hash(before)).toBe(await hash(after));
    expect(read(before, 'uns/note')).toBe(note);
    expect(read(before, 'X')).toEqual(new Float32Array([1, 2, 3, 4, 5, 6]));
    expect((await readFile(before)).includes('aaaaaaaa')).toBe(false);
    expect(await leftovers()).toEqual([]);
  });

  it('is as if it had been created so, when the description is as long', async () => {
    const [twice, once] = [join(folder, 'twice.h5ad'), join(folder, 'once.h5ad')];
    const writer = await H5adFileWriter.create(twice, describedBy('a'.repeat(5000)));
    await fill(writer);
    await writer.describe(describedBy('b'.repeat(5000)));
    await writer.close();
    const other = await H5adFileWriter.create(once, describedBy('b'.repeat(5000)));
    await fill(other);
    await other.close();
    expect(await hash(twice)).toBe(await hash(once));
  });

  it('asks for its rows again when they had to give way', async () => {
    const [moved, once] = [join(folder, 'moved.h5ad'), join(folder, 'once.h5ad')];
    const writer = await H5adFileWriter.create(moved, describedBy('a'));
    await fill(writer);
    expect(await writer.describe(describedBy('b'.repeat(20_000)))).toBe(false);
    const incomplete = await H5adFileWriter.create(once, describedBy('a'));
    await fill(incomplete);
    await incomplete.describe(describedBy('b'.repeat(20_000)));
    await expect(incomplete.settle()).rejects.toThrow('row 0 of X was never written');
    await incomplete.abort();
    await fill(writer);
    await writer.close();
    const other = await H5adFileWriter.create(once, describedBy('b'.repeat(20_000)));
    await fill(other);
    await other.close();
    expect(await hash(moved)).toBe(await hash(once));
  });

  it('keeps the matrices it was created with', async () => {
    const writer = await H5adFileWriter.create(join(folder, 'other.h5ad'), describedBy('a'));
    await expect(writer.describe(skeletonOf(3, 3))).rejects.toThrow(InvariantBrokenError);
    await writer.abort();
    expect(await leftovers()).toEqual([]);
  });
});

describe('a file that cannot be written', () => {
  const dense = skeletonOf(2, 2, { dense: { X: 'f32', layers: [] } });

  it('is refused with a reason, and leaves nothing behind', async () => {
    await mkdir(join(folder, 'directory'));
    await expect(H5adFileWriter.create(join(folder, 'directory'), dense)).rejects.toThrow(InvalidInputError);
    await expect(H5adFileWriter.create(join(folder, 'missing', 'x.h5ad'), dense)).rejects.toThrow(InvalidInputError);
    const contradicting: [Partial<H5adSkeleton>, RegExp][] = [
      [{ dense: { X: 'f32', layers: [] }, csr: { chunkElements: 8, gzipLevel: 1 } }, /both dense and sparse/],
      [{ uns: { 'a/b': 1 } }, /slash/],
      [{ uns: { text: 'a\0b' } }, /NUL/],
      [
        { obs: { index: ['a'], columns: { n: { kind: 'numeric', values: new Float64Array(2) } } } },
        /2 values for 1 rows/,
      ],
      [
        {
          obs: { index: ['a'], columns: { n: { kind: 'categorical', categories: ['x'], codes: new Int8Array([1]) } } },
        },
        /code 1/,
      ],
      [
        {
          dense: {
            layers: [
              { name: 'a', dtype: 'f32' },
              { name: 'a', dtype: 'f32' },
            ],
          },
        },
        /named twice/,
      ],
      [{ uns: { ragged: { kind: 'rec-array', fields: { a: ['x'], b: [] } } } }, /one length/],
      [{ uns: { array: { kind: 'nd-array', shape: [2, 2], values: new Float32Array(3) } } }, /3 values for shape/],
    ];
    for (const [rest, reason] of contradicting) {
      const created = H5adFileWriter.create(join(folder, 'bad.h5ad'), skeletonOf(2, 2, rest));
      await expect(created).rejects.toThrow(InvalidInputError);
      await expect(created).rejects.toThrow(reason);
    }
    expect(await leftovers()).toEqual([]);
  });

  it.skipIf(process.getuid?.() === 0)('is refused where permission is missing', async () => {
    const locked = join(folder, 'locked');
    await mkdir(locked);
    await chmod(locked, 0o500);
    await expect(H5adFileWriter.create(join(locked, 'x.h5ad'), dense)).rejects.toThrow(/permission denied/);
  });

  it('is refused before anything is computed when the disk has no room for its layers', async () => {
    const huge = skeletonOf(1, 4, { varm: { truth: { columns: 2 ** 50, dtype: 'f64' } } });
    await expect(H5adFileWriter.create(join(folder, 'huge.h5ad'), huge)).rejects.toThrow(ResourceExhaustedError);
    expect(await leftovers()).toEqual([]);
  });

  it('does not appear when a row is missing, and keeps what was there', async () => {
    const path = join(folder, 'kept.h5ad');
    await writeFile(path, 'before');
    const writer = await H5adFileWriter.create(path, dense);
    await writer.writeRows('X', 1, new Float32Array(2));
    await expect(writer.close()).rejects.toThrow(/row 0 of X was never written/);
    expect(await readFile(path, 'utf8')).toBe('before');
    expect(await leftovers()).toEqual([]);
  });

  it('does not appear when CSR rows are missing or too many', async () => {
    const csr = skeletonOf(2, 2, { csr: { chunkElements: 1, gzipLevel: 1 } });
    const path = join(folder, 'rows.h5ad');
    const writer = await H5adFileWriter.create(path, csr);
    const matrix = writer.csrAppender();
    await matrix.append(new Int32Array([0]), new Float32Array([1]), new Int32Array([1]));
    await expect(matrix.append(new Int32Array(0), new Float32Array(0), new Int32Array(2))).rejects.toThrow(/2 rows/);
    await expect(matrix.append(new Int32Array([2]), new Float32Array([1]), new Int32Array([1]))).rejects.toThrow(
      /column 2/,
    );
    await expect(writer.close()).rejects.toThrow(InvariantBrokenError);
    expect((await readdir(folder)).includes('rows.h5ad')).toBe(false);
  });

  it('refuses rows of another type, shape or matrix', async () => {
    const writer = await H5adFileWriter.create(join(folder, 'rows.h5ad'), dense);
    await expect(writer.writeRows('X', 0, new Float64Array(2))).rejects.toThrow(/holds f32 but was given f64/);
    await expect(writer.writeRows('X', 0, new Float32Array(3))).rejects.toThrow(/do not fit/);
    await expect(writer.writeRows('X', 1, new Float32Array(4))).rejects.toThrow(/do not fit/);
    await expect(writer.writeRows('layers/none', 0, new Float32Array(2))).rejects.toThrow(/no dense matrix/);
    expect(() => writer.csrAppender()).toThrow(InvariantBrokenError);
    await writer.abort();
    await writer.abort();
    await expect(writer.writeRows('X', 0, new Float32Array(4))).rejects.toThrow(/already closed/);
    expect(await leftovers()).toEqual([]);
  });
});

describe('the chunk index', () => {
  it('grows a level for every 64-fold of chunks', () => {
    const levelOf = (count: number): number => {
      const chunks = Array.from({ length: count }, (_, i) => ({ address: i, sizeBytes: 1 }));
      const { bytes, rootAddress } = encodeChunkIndex(chunks, 10, 1000);
      return bytes[rootAddress - 1000 + 5] ?? -1;
    };
    expect([1, 64, 65, 4096, 4097].map(levelOf)).toEqual([0, 0, 1, 1, 2]);
    expect(encodeChunkIndex([], 10, 1000)).toEqual({ bytes: Buffer.alloc(0), rootAddress: -1 });
  });
});
