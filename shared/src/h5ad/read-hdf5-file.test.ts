import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeSmallH5ad } from '../../../test/support/small-h5ad.js';
import { openByteSource, type ByteSource } from '../storage/index.js';
import { Hdf5Bytes } from './hdf5/index.js';
import { Hdf5File } from './read-hdf5-file.js';

/** @source the registry of filters of The HDF Group; parameters of scaleoffset: whole numbers, bits found by the library */
const FILTERS = {
  gzip: { compression: 1, compression_opts: [4] },
  scaleoffset: { compression: 6, compression_opts: [2, 0] },
};
const VALUES = Int32Array.from({ length: 64 }, (_, i) => i % 5);

describe('a dataset of an HDF5 file', () => {
  let folder: string;
  let source: ByteSource;
  let file: Hdf5File;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'shardex-hdf5-'));
    const path = join(folder, 'file.h5ad');
    await writeSmallH5ad(path, [[1]], 1, {
      amend: (h5) => {
        for (const [name, how] of Object.entries(FILTERS))
          h5.create_dataset({ name, data: VALUES, shape: [64], chunks: [16], ...how });
      },
    });
    source = await openByteSource(path);
    file = await Hdf5File.open(await Hdf5Bytes.open(source));
  });
  afterAll(async () => {
    file.close();
    await source.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('is read when it is compressed as h5ad files are', async () => {
    expect(await file.readDataset('/gzip')).toMatchObject({ kind: 'integers', values: Float64Array.from(VALUES) });
  });

  it('is not run through other filters of the library', async () => {
    const refusal = { tag: 'UnsupportedData', message: expect.stringContaining('scaleoffset') as unknown };
    await expect(file.readDataset('/scaleoffset')).rejects.toMatchObject(refusal);
    await expect(file.readStringRange('/scaleoffset', 0, 1)).rejects.toMatchObject(refusal);
  });
});
