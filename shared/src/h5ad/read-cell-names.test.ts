import { mkdtemp, open, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeSmallH5ad, type SmallH5ad } from '../../../test/support/small-h5ad.js';
import { openByteSource } from '../storage/index.js';
import { openCellNames, readH5adMetadata } from './index.js';
import type { H5adMetadata } from './types.js';

const N = 700;
/** Empty ones, some beyond ASCII, one larger than a usual heap of strings, one as long as a heap pads to. */
const CELLS = Array.from({ length: N }, (_, i) =>
  i % 50 === 3
    ? ''
    : i === 99
      ? 'long'.repeat(2500)
      : i % 7 === 0
        ? `zelle-é😀${i}`
        : i % 7 === 1
          ? '12345678'
          : `cell${i}`,
);

let folder: string;
let files = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shardex-names-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function written(how: SmallH5ad): Promise<string> {
  const path = join(folder, `${files++}.h5ad`);
  const rows = Array.from({ length: N }, () => [1]);
  await writeSmallH5ad(path, rows, 1, { cells: CELLS, ...how });
  return path;
}

const described = (path: string): Promise<H5adMetadata> =>
  readH5adMetadata(path, { obsNames: true, obsNamesAddress: true, varNames: false });

describe('the names of cells', () => {
  it.each<[string, SmallH5ad]>([
    ['in one piece', {}],
    ['in one piece, newest structures', { newest: true }],
    ['in chunks', { cellsChunk: 64 }],
    ['in one chunk', { cellsChunk: N }],
    ['in chunks, newest structures', { cellsChunk: 64, newest: true }],
  ])('are read %s as the HDF5 library reads them', async (_, how) => {
    const path = await written(how);
    const metadata = await described(path);
    expect(metadata.obsNames).toEqual(CELLS);
    expect(metadata.obsNamesAddress).not.toBeNull();
    for (const obsNamesAddress of [metadata.obsNamesAddress, null]) {
      const names = await openCellNames(path, { version: metadata.version, obsNamesAddress });
      for (const [begin, end] of [
        [0, N],
        [0, 1],
        [60, 70],
        [63, 193],
        [5, 5],
        [N - 1, N],
      ] as const) {
        expect(await names.read({ begin, end })).toEqual(CELLS.slice(begin, end));
      }
      await names.close();
    }
  });

  it('are left to the library where they are no strings of variable length', async () => {
    const fixed = (file: Parameters<NonNullable<SmallH5ad['amend']>>[0]): void => {
      const obs = file.get('obs') as ReturnType<typeof file.create_group>;
      obs.create_dataset({ name: 'short', data: CELLS.map((_, i) => `c${i}`), dtype: 'S5' });
      obs.delete_attribute('_index');
      obs.create_attribute('_index', 'short');
    };
    const path = await written({ amend: fixed });
    const metadata = await described(path);
    expect(metadata.obsNamesAddress).toBeNull();
    const names = await openCellNames(path, metadata);
    expect(await names.read({ begin: 98, end: 101 })).toEqual(['c98', 'c99', 'c100']);
    await names.close();
  });

  it('are those of the file that was described', async () => {
    const path = await written({});
    const { obsNamesAddress } = await described(path);
    const opening = openCellNames(path, { version: 'other', obsNamesAddress });
    await expect(opening).rejects.toMatchObject({ tag: 'InvalidInput' });
    const names = await openCellNames(path, { version: 'other', obsNamesAddress: null });
    await expect(names.read({ begin: 0, end: 1 })).rejects.toThrow('changed while the job was running');
    await names.close();
  });

  it('are not made up where the file is damaged', async () => {
    const path = await written({});
    const { obsNamesAddress } = await described(path);
    // Every heap of strings loses its signature.
    const bytes = Buffer.alloc((await stat(path)).size);
    const file = await open(path, 'r+');
    await file.read(bytes, 0, bytes.length, 0);
    for (let at = bytes.indexOf('GCOL'); at >= 0; at = bytes.indexOf('GCOL', at + 1)) await file.write('XXXX', at);
    await file.close();
    const source = await openByteSource(path);
    const { version } = source;
    await source.close();
    const names = await openCellNames(path, { version, obsNamesAddress });
    await expect(names.read({ begin: 0, end: N })).rejects.toMatchObject({ tag: 'CorruptData' });
    await names.close();
  });
});
