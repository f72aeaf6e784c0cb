import { createHash } from 'node:crypto';
import { copyFile, mkdtemp, open, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { File, ready } from 'h5wasm/node';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { InvariantBrokenError, UnsupportedDataError } from '../errors/index.js';
import { H5adFileExtension, type H5adAdditions } from './extend-h5ad.js';
import { H5adFileWriter } from './write-h5ad.js';

const ROWS = 3;
const COLUMNS = 1500;
const LAYERS = [
  { name: 'pvalue', dtype: 'f64' },
  { name: 'status', dtype: 'u8' },
] as const;

/** Every dataset of a file: path → value, and every attribute, as the HDF5 library reads them. */
const everything = (path: string): Map<string, unknown> => {
  const file = new File(path, 'r');
  const found = new Map<string, unknown>();
  try {
    for (const name of ['/', ...file.paths()]) {
      const object = file.get(name);
      if (object === null || !('attrs' in object)) continue;
      if ('value' in object) found.set(name, object.value);
      for (const [key, attribute] of Object.entries(object.attrs as Record<string, { value: unknown }>))
        found.set(`${name}@${key}`, attribute.value);
    }
    return found;
  } finally {
    file.close();
  }
};

describe('adding to an h5ad file', () => {
  let folder: string;
  let original: string;
  let path: string;
  const first: H5adAdditions = {
    shape: [ROWS, COLUMNS],
    layers: [
      { name: 'shrunk', dtype: 'f32' },
      { name: 'shrunk_error', dtype: 'f64' },
    ],
    obs: { prior_scale: Float64Array.of(0.1, 0.2, NaN) },
    uns: { shrinkage: { method: 'apeglm', prior_scale: NaN, genes: 7 } },
  };
  const shrunk = Float32Array.from({ length: ROWS * COLUMNS }, (_, i) => i / 8);
  const errors = Float64Array.from(shrunk, (value) => value / 3);

  const extend = async (additions: H5adAdditions, factor = 1): Promise<void> => {
    const extension = await H5adFileExtension.create(path, additions);
    for (let row = ROWS - 1; row >= 0; row--) {
      const [begin, end] = [row * COLUMNS, (row + 1) * COLUMNS];
      await extension.writeRows(
        'shrunk',
        row,
        shrunk.slice(begin, end).map((value) => factor * value),
      );
      await extension.writeRows('shrunk_error', row, errors.slice(begin, end));
    }
    await extension.close();
  };
  const hash = async (): Promise<string> =>
    createHash('sha256')
      .update(await readFile(path))
      .digest('hex');
  const leftovers = async (): Promise<string[]> => (await readdir(folder)).filter((name) => name.startsWith('.'));

  beforeAll(async () => {
    await ready;
    folder = await mkdtemp(join(tmpdir(), 'shardex-extend-h5ad-'));
    original = join(folder, 'original.h5ad');
    path = join(folder, 'extended.h5ad');
    const writer = await H5adFileWriter.create(original, {
      obs: { index: ['a', 'b', 'é'], columns: { n_cells: { kind: 'numeric', values: Int32Array.of(1, 2, 3) } } },
      var: { index: Array.from({ length: COLUMNS }, (_, i) => `gene${i}`), columns: {} },
      uns: { method: 'nb_glm', nested: { list: ['p', 'q'] } },
      dense: { X: 'f32', layers: LAYERS },
    });
    await writer.writeRows('X', 0, shrunk);
    await writer.writeRows('layers/pvalue', 0, errors);
    await writer.writeRows('layers/status', 0, new Uint8Array(ROWS * COLUMNS).fill(3));
    await writer.close();
  });
  beforeEach(() => copyFile(original, path));
  afterAll(() => rm(folder, { recursive: true }));

  it('leaves everything else as it was', async () => {
    const before = everything(path);
    await extend(first);
    const after = everything(path);
    for (const [name, value] of before) {
      if (name === 'obs@column-order') continue;
      expect(after.get(name), name).toEqual(value);
    }
    const added = [...after.keys()].filter((name) => !before.has(name) && !name.includes('@'));
    expect(added.sort()).toEqual(
      [
        'layers/shrunk',
        'layers/shrunk_error',
        'obs/prior_scale',
        'uns/shrinkage/genes',
        'uns/shrinkage/method',
        'uns/shrinkage/prior_scale',
      ].sort(),
    );
    expect(after.get('layers/shrunk')).toEqual(shrunk);
    expect(after.get('layers/shrunk@encoding-type')).toBe('array');
    expect(after.get('layers/shrunk_error')).toEqual(errors);
    expect(after.get('obs/prior_scale')).toEqual(first.obs['prior_scale']);
    expect(after.get('obs@column-order')).toEqual(['n_cells', 'prior_scale']);
    expect(after.get('uns/shrinkage/method')).toBe('apeglm');
    expect(await leftovers()).toEqual([]);
  });

  it('replaces in place what it added before', async () => {
    await extend(first);
    const { byteLength } = await readFile(path);
    await extend(
      {
        ...first,
        obs: { prior_scale: Float64Array.of(4, 5, 6) },
        uns: { shrinkage: { method: 'a longer name than before', prior_scale: 0.5, genes: 0 } },
      },
      2,
    );
    const after = everything(path);
    expect(after.get('layers/shrunk')).toEqual(shrunk.map((value) => 2 * value));
    expect(after.get('layers/pvalue')).toEqual(errors);
    expect(after.get('obs/prior_scale')).toEqual(Float64Array.of(4, 5, 6));
    expect(after.get('uns/shrinkage/method')).toBe('a longer name than before');
    expect(after.get('uns/shrinkage/prior_scale')).toBe(0.5);
    expect((await readFile(path)).byteLength - byteLength).toBeLessThan(16_384);
  });

  it('gives equal bytes for equal input', async () => {
    await extend(first);
    const once = await hash();
    await copyFile(original, path);
    await extend(first);
    expect(await hash()).toBe(once);
  });

  it('leaves the file alone when it is given up, or not finished', async () => {
    const before = await hash();
    const abandoned = await H5adFileExtension.create(path, first);
    await abandoned.writeRows('shrunk', 0, shrunk);
    await abandoned.abort();
    const unfinished = await H5adFileExtension.create(path, first);
    await unfinished.writeRows('shrunk', 0, shrunk);
    await expect(unfinished.close()).rejects.toBeInstanceOf(InvariantBrokenError);
    expect(await hash()).toBe(before);
    expect(await leftovers()).toEqual([]);
  });

  it('refuses to replace what has another type, and files of another format', async () => {
    await extend(first);
    const otherType = { ...first, layers: [{ name: 'shrunk', dtype: 'f64' as const }] };
    await expect(H5adFileExtension.create(path, otherType)).rejects.toBeInstanceOf(UnsupportedDataError);
    const otherShape = { ...first, shape: [ROWS, COLUMNS + 1] as const };
    await expect(H5adFileExtension.create(path, otherShape)).rejects.toBeInstanceOf(UnsupportedDataError);
    const handle = await open(path, 'a');
    await handle.write(new Uint8Array(100));
    await handle.close();
    await expect(H5adFileExtension.create(path, first)).rejects.toBeInstanceOf(UnsupportedDataError);
    expect(await leftovers()).toEqual([]);
  });
});
