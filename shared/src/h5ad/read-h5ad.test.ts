import { mkdtemp, open, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeSmallH5ad, type Matrix, type SmallH5ad } from '../../../test/support/small-h5ad.js';
import { openByteSource } from '../storage/index.js';
import {
  openH5adMetadata,
  openRowSource,
  packMatrixDescriptor,
  readH5adMetadata,
  readObsColumn,
  readRowOffsets,
  unpackMatrixDescriptor,
  type MatrixDescriptor,
  type RowSourceOptions,
} from './index.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shardex-h5ad-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

let files = 0;
const newPath = (): string => join(folder, `${files++}.h5ad`);

async function written(matrix: Matrix, nColumns: number, how: SmallH5ad = {}): Promise<string> {
  const path = newPath();
  await writeSmallH5ad(path, matrix, nColumns, how);
  return path;
}

async function descriptorOf(path: string): Promise<MatrixDescriptor> {
  const { descriptor } = await readH5adMetadata(path, { matrix: 'X' });
  if (descriptor === null) throw new RangeError('no descriptor');
  return descriptor;
}

interface Reading extends RowSourceOptions {
  readonly maxNonzeros?: number;
  readonly range?: readonly [number, number];
}

/** Reads rows back as a dense matrix, checking what blocks promise. */
async function readRows(path: string, reading: Reading = {}): Promise<number[][]> {
  const { maxNonzeros = 5, range, ...options } = reading;
  const source = await openByteSource(path);
  try {
    const rows = openRowSource(await descriptorOf(path), source, options);
    const [begin, end] = range ?? [0, rows.nRows];
    const dense: number[][] = [];
    for await (const block of rows.blocks(begin, end, maxNonzeros)) {
      expect(block.rowBegin).toBe(begin + dense.length);
      expect(block.nRows === 1 || block.indptr[block.nRows] <= maxNonzeros).toBe(true);
      for (let row = 0; row < block.nRows; row++) {
        const line = new Array<number>(rows.nColumns).fill(0);
        for (let i = block.indptr[row]; i < block.indptr[row + 1]; i++) line[block.indices[i]] = block.values[i];
        dense.push(line);
      }
    }
    return dense;
  } finally {
    await source.close();
  }
}

const matrices = fc
  .record({ nRows: fc.integer({ min: 1, max: 9 }), nColumns: fc.integer({ min: 1, max: 11 }) })
  .chain(({ nRows, nColumns }) => {
    const value = fc.oneof(
      { weight: 2, arbitrary: fc.constant(0) },
      { weight: 1, arbitrary: fc.integer({ min: 1, max: 9 }) },
    );
    const row = fc.array(value, { minLength: nColumns, maxLength: nColumns });
    return fc.record({
      nColumns: fc.constant(nColumns),
      matrix: fc.array(row, { minLength: nRows, maxLength: nRows }),
    });
  });

describe('a matrix of an h5ad file', () => {
  for (const storage of ['csr', 'csc', 'dense'] as const) {
    for (const compression of ['gzip', null] as const) {
      it(`is read as it was written when stored as ${storage}, ${compression ?? 'not compressed'}`, async () => {
        await fc.assert(
          fc.asyncProperty(matrices, fc.nat(), fc.nat(), async ({ matrix, nColumns }, a, b) => {
            const path = await written(matrix, nColumns, { storage, compression });
            expect(await readRows(path)).toEqual(matrix);
            const [begin, end] = [a % (matrix.length + 1), b % (matrix.length + 1)].sort((x, y) => x - y);
            const part = await readRows(path, { range: [begin, end], rangeBytes: 16, bandBytes: 1, maxNonzeros: 1 });
            expect(part).toEqual(matrix.slice(begin, end));
            await rm(path);
          }),
          { seed: 7, numRuns: 25 },
        );
      });
    }
  }

  it('shows every chunk it reads, exactly as stored and once', async () => {
    const matrix = Array.from({ length: 20 }, (_, row) => [1, 2, 3, 4, 5].map((column) => row + column));
    const path = await written(matrix, 5, { chunkLength: 16 });
    const bytes = await readFile(path);
    const descriptor = await descriptorOf(path);
    const seen: Record<string, number[]> = { data: [], indices: [] };
    await readRows(path, {
      onRawChunk: (dataset, chunk, stored) => {
        seen[dataset].push(chunk);
        const part = descriptor.kind === 'dense' || dataset === 'data' ? descriptor.data : descriptor.indices;
        if (part.layout.kind !== 'chunked') throw new RangeError('not chunked');
        const at = part.layout.offsets[chunk];
        expect(Buffer.compare(bytes.subarray(at, at + part.layout.sizes[chunk]), stored)).toBe(0);
      },
    });
    expect(seen).toEqual({ data: [0, 1, 2, 3, 4, 5, 6], indices: [0, 1, 2, 3, 4, 5, 6] });
  });

  it('has a descriptor that survives packing and structured clone', async () => {
    const descriptor = await descriptorOf(await written([[1, 0, 2]], 3));
    const packed = packMatrixDescriptor(descriptor);
    const stored = { json: JSON.parse(JSON.stringify(packed.json)) as unknown, arrays: structuredClone(packed.arrays) };
    expect(unpackMatrixDescriptor(stored)).toEqual(descriptor);
    expect(Object.keys(packed.arrays)).toContain('data.layout.offsets');
  });

  it('gives the offsets of its rows', async () => {
    const path = await written([[1, 0], [0, 0], [2, 3]], 2); // prettier-ignore
    const descriptor = await descriptorOf(path);
    if (descriptor.kind === 'dense') throw new RangeError('not sparse');
    const source = await openByteSource(path);
    expect([...(await readRowOffsets(descriptor, source))]).toEqual([0, 1, 1, 3]);
    await source.close();
  });

  it('refuses rows that it does not have', async () => {
    await expect(readRows(await written([[1]], 1), { range: [0, 2] })).rejects.toMatchObject({ tag: 'InvalidInput' });
  });
});

describe('the metadata of an h5ad file', () => {
  it('lists matrices and columns and names the rows', async () => {
    const metadata = await readH5adMetadata(await written([[1, 0, 2], [0, 0, 3]], 3), { obsNames: true }); // prettier-ignore
    expect(metadata).toMatchObject({
      encodingType: 'anndata',
      nObs: 2,
      nVar: 3,
      matrices: [
        {
          path: 'X',
          kind: 'csr',
          nRows: 2,
          nColumns: 3,
          storedCount: 3,
          dtype: 'float32',
          indexDtype: 'int32',
          compression: ['gzip'],
          chunkShape: [3],
        },
      ],
      obsColumns: [{ name: 'perturbation', kind: 'categorical', categoryCount: 2 }],
      varColumns: [],
      obsNames: ['cell0', 'cell1'],
      varNames: ['gene0', 'gene1', 'gene2'],
      duplicateObsNames: { count: 0, example: null },
      warnings: [],
    });
  });

  it('names some rows alone, as often as it is asked', async () => {
    const rows = Array.from({ length: 500 }, () => [1]);
    const session = openH5adMetadata(await written(rows, 1));
    for (const [begin, end] of [
      [0, 1],
      [17, 400],
      [499, 500],
      [17, 17],
    ] as const) {
      const { obsNames, duplicateObsNames } = await session.read({ obsNames: { begin, end } });
      expect(obsNames).toEqual(Array.from({ length: end - begin }, (_, i) => `cell${begin + i}`));
      expect(duplicateObsNames).toBeNull();
    }
    await session.close();
  });

  it('holds the columns that were asked for', async () => {
    const column = await readObsColumn(await written([[1], [2], [3]], 1), 'perturbation');
    expect(column).toEqual({
      kind: 'categorical',
      name: 'perturbation',
      codes: Int32Array.of(0, 1, 0),
      categories: ['control', 'a'],
      ordered: false,
    });
  });

  it('tells of names that occur more than once', async () => {
    const path = await written([[1, 2, 3]], 3, {
      amend: (file) => {
        const frame = file.create_group('raw').create_group('var');
        frame.create_attribute('_index', 'names');
        frame.create_attribute('column-order', new Float64Array(0));
        frame.create_dataset({ name: 'names', data: ['g', 'h', 'g'] });
        file.create_hard_link('/X', 'raw/X');
      },
    });
    const metadata = await readH5adMetadata(path, { matrix: 'raw/X' });
    expect(metadata.varNames).toEqual(['g', 'h', 'g']);
    expect(metadata.duplicateVarNames).toEqual({ count: 1, example: 'g' });
    expect(metadata.warnings).toEqual(['1 gene names occur more than once, "g" for one']);
    expect(metadata.matrices.map((matrix) => matrix.path)).toEqual(['X', 'raw/X']);
  });
});

describe('a session', () => {
  it('answers one request after the other, the good ones also after a bad one', async () => {
    const session = openH5adMetadata(await written([[1, 2, 3]], 3));
    try {
      expect(await session.read({ varNames: false })).toMatchObject({ nObs: 1, nVar: 3, varNames: null });
      await expect(session.read({ obsColumns: ['absent'] })).rejects.toMatchObject({ tag: 'InvalidInput' });
      expect((await session.read({ matrix: 'X' })).descriptor).toMatchObject({ nRows: 1, nColumns: 3 });
    } finally {
      await session.close();
    }
  });

  it('tells with the first answer that there is no such file, and closes all the same', async () => {
    const session = openH5adMetadata(newPath());
    await expect(session.read({})).rejects.toMatchObject({ tag: 'InvalidInput' });
    await session.close();
  });
});

describe('input that cannot be read', () => {
  const refusal = async (action: Promise<unknown>): Promise<{ tag: string; message: string }> => {
    const error = await action.then(
      () => null,
      (reason: unknown) => reason,
    );
    expect(error).not.toBeNull();
    return error as { tag: string; message: string };
  };
  const overwriteChunk = async (path: string, dataset: 'data' | 'indices', chunk: number): Promise<void> => {
    const descriptor = await descriptorOf(path);
    if (descriptor.kind === 'dense' || descriptor[dataset].layout.kind !== 'chunked') throw new RangeError('no chunks');
    const handle = await open(path, 'r+');
    await handle.write(new Uint8Array(8).fill(255), 0, 8, descriptor[dataset].layout.offsets[chunk]);
    await handle.close();
  };

  it('is a path that leads nowhere', async () => {
    const error = await refusal(readH5adMetadata(join(folder, 'none.h5ad')));
    expect(error).toMatchObject({ tag: 'InvalidInput' });
    expect(error.message).toContain('no such file');
  });

  it('is a folder', async () => {
    expect(await refusal(readH5adMetadata(folder))).toMatchObject({
      tag: 'InvalidInput',
      message: `${folder} is a folder`,
    });
  });

  it('is a file that is not HDF5, be it empty or long', async () => {
    for (const length of [0, 3, 100, 5000]) {
      const path = newPath();
      await writeFile(path, new Uint8Array(length).fill(65));
      const error = await refusal(readH5adMetadata(path));
      expect(error).toMatchObject({ tag: 'InvalidInput', message: `${path} is not an HDF5 file` });
    }
  });

  it('is a file that has been cut short', async () => {
    const path = await written([[1, 2, 3]], 3);
    const { length } = await readFile(path);
    await truncate(path, length - 100);
    const error = await refusal(readH5adMetadata(path, { matrix: 'X' }));
    expect(error).toMatchObject({
      tag: 'CorruptData',
      message: `${path} is truncated: it should be ${length} bytes long but has ${length - 100}`,
    });
  });

  it('is a file that a program has open for writing', async () => {
    const path = await written([[1, 2, 3]], 3, { newest: true });
    expect((await readRows(path)).flat()).toEqual([1, 2, 3]);
    const bytes = await readFile(path);
    expect(bytes[8]).toBe(3); // the superblock's version
    bytes[11] |= 1; // its consistency flags
    await writeFile(path, bytes);
    const error = await refusal(readH5adMetadata(path));
    expect(error).toMatchObject({ tag: 'InvalidInput' });
    expect(error.message).toContain('is open in a program that writes to it');
  });

  it('is a file whose beginning alone is intact', async () => {
    const path = await written([[1, 2, 3]], 3);
    const bytes = await readFile(path);
    await writeFile(path, bytes.fill(0xaa, 96));
    expect(await refusal(readH5adMetadata(path, { matrix: 'X' }))).toMatchObject({ tag: 'CorruptData' });
  });

  it('is HDF5 but not AnnData', async () => {
    const { default: h5wasm } = await import('h5wasm/node');
    const path = newPath();
    const file = new h5wasm.File(path, 'w');
    file.create_group('matrix');
    file.close();
    const error = await refusal(readH5adMetadata(path));
    expect(error).toMatchObject({ tag: 'InvalidInput', message: `${path} is a 10x Genomics file` });
  });

  it('has no X, no such layer or no such column', async () => {
    const path = await written([[1, 2]], 2);
    expect(await refusal(readH5adMetadata(path, { matrix: 'layers/counts' }))).toMatchObject({
      tag: 'InvalidInput',
      message: `${path} has no layer "counts"`,
      hint: 'it has X',
    });
    expect(await refusal(readObsColumn(path, 'guide'))).toMatchObject({
      tag: 'InvalidInput',
      message: `${path} has no column "guide" in obs`,
      hint: 'it has perturbation',
    });
    const without = newPath();
    await writeSmallH5ad(without, [[1, 2]], 2, { amend: (file) => void file.create_group('layers') });
    expect((await readH5adMetadata(without)).matrices).toHaveLength(1);
  });

  it('has parts that do not fit each other', async () => {
    const replaced = async (name: string, data: Int32Array): Promise<{ tag: string; message: string }> => {
      const path = await written([[1, 2], [3, 4]], 2, {
        amend: (file) => {
          const group = file.create_group('layers').create_group('broken');
          group.create_attribute('encoding-type', 'csr_matrix');
          group.create_attribute('shape', Int32Array.of(2, 2));
          group.create_dataset({ name: 'data', data: Float32Array.of(1, 2, 3, 4) });
          for (const [part, usual] of [['indices', [0, 1, 0, 1]], ['indptr', [0, 2, 4]]] as const) {
            group.create_dataset({ name: part, data: part === name ? data : Int32Array.from(usual) });
          }
        },
      }); // prettier-ignore
      const read = async (): Promise<void> => {
        const { descriptor } = await readH5adMetadata(path, { matrix: 'layers/broken' });
        const source = await openByteSource(path);
        try {
          for await (const block of openRowSource(descriptor as MatrixDescriptor, source, { label: 'F' }).blocks(
            0,
            2,
            9,
          ))
            expect(block.nRows).toBe(2);
        } finally {
          await source.close();
        }
      };
      return refusal(read());
    };
    const expectCorrupt = async (name: string, data: number[], message: string): Promise<void> => {
      const error = await replaced(name, Int32Array.from(data));
      expect(error.tag).toBe('CorruptData');
      expect(error.message).toContain(message);
    };
    await expectCorrupt('indptr', [0, 4], 'needs an indptr of length 3 but has one of length 2');
    await expectCorrupt('indices', [0, 1, 0], 'has 4 values but 3 indices');
    await expectCorrupt(
      'indptr',
      [0, 3, 2],
      'F is damaged: row 2 of layers/broken begins at nonzero 2, before the one',
    );
    await expectCorrupt('indptr', [0, 2, 3], 'should be where the 4 nonzeros end, but is at 3');
    await expectCorrupt('indptr', [1, 2, 4], 'row 0 of layers/broken begins at nonzero 1 instead of 0');
    await expectCorrupt('indptr', [0, 5, 4], 'row 1 of layers/broken begins at nonzero 5 of 4');
    await expectCorrupt('indices', [0, 1, 1, 1], 'F is damaged: row 1 of layers/broken has two values in column 1');
    await expectCorrupt(
      'indices',
      [0, 2, 0, 1],
      'row 0 of layers/broken has a column index that is negative or not below 2',
    );
    await expectCorrupt('indices', [0, -1, 0, 1], 'row 0 of layers/broken has a column index that is negative');
  });

  it('has a chunk that cannot be decompressed, which is named', async () => {
    for (const dataset of ['data', 'indices'] as const) {
      const path = await written([[1, 2, 3, 4, 5], [6, 7, 8, 9, 1]], 5, { chunkLength: 4 }); // prettier-ignore
      await overwriteChunk(path, dataset, 1);
      const error = await refusal(readRows(path));
      expect(error).toMatchObject({ tag: 'CorruptData' });
      expect(error.message).toContain(`${path} is damaged: chunk 1 of X/${dataset} cannot be decompressed`);
    }
  });
});
