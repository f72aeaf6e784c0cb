import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { parquetMetadata, parquetReadObjects } from 'hyparquet';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InvalidInputError, InvariantBrokenError } from '../errors/index.js';
import { CsvWriter, shortestFloat32 } from './write-csv.js';
import { ParquetTableWriter } from './write-parquet.js';
import type { TableColumn, TableValues, TableWriter } from './write-types.js';

const COLUMNS: readonly TableColumn[] = [
  { name: 'perturbation', type: 'string' },
  { name: 'log2_fold_change', type: 'f32' },
  { name: 'pvalue', type: 'f64' },
  { name: 'n_cells', type: 'i32' },
  { name: 'status', type: 'u8' },
];
const ROWS: readonly TableValues[] = [
  ['KO1', 'a,b', 'say "x"', '', '中\n'],
  new Float32Array([0.1, NaN, -Infinity, 1e-38, 16777216]),
  new Float64Array([1e-300, 0.1, NaN, Infinity, -0]),
  new Int32Array([1, -2, 3, 4, 5]),
  new Uint8Array([0, 1, 2, 254, 255]),
];
const slice = (begin: number, end?: number): TableValues[] => ROWS.map((column) => column.slice(begin, end));

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shardex-write-table-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Writes the rows in calls of so many rows. */
const write = async (writer: TableWriter, rowsPerCall: number): Promise<void> => {
  for (let row = 0; row < 5; row += rowsPerCall) await writer.append(slice(row, row + rowsPerCall));
  await writer.close();
};
const bufferOf = (bytes: Buffer): ArrayBuffer =>
  bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
const readParquet = async (path: string): Promise<Record<string, unknown>[]> =>
  parquetReadObjects({ file: bufferOf(await readFile(path)) });

describe('a table written as CSV', () => {
  it('quotes what needs it, leaves NaN empty and keeps every number', async () => {
    const path = join(folder, 'table.csv');
    await write(await CsvWriter.create(path, COLUMNS), 5);
    expect(await readFile(path, 'utf8')).toBe(
      [
        'perturbation,log2_fold_change,pvalue,n_cells,status',
        'KO1,0.1,1e-300,1,0',
        '"a,b",,0.1,-2,1',
        '"say ""x""",-inf,,3,2',
        '"",1e-38,inf,4,254',
        '"中\n",16777216,-0.0,5,255\n',
      ].join('\n'),
    );
  });

  it('writes float32 with the fewest digits that give the same float32 back', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const text = shortestFloat32(value);
        expect(Object.is(Math.fround(Number(text)), value)).toBe(true);
        const digits = text.replace(/e.*$/, '').replace(/[-.]/g, '').replace(/^0+/, '').replace(/0+$/, '').length;
        if (digits > 1 && !Number.isInteger(value)) {
          expect(Math.fround(Number(value.toPrecision(digits - 1)))).not.toBe(value);
        }
      }),
      { seed: 2, numRuns: 2000 },
    );
  });
});

describe('a table written as Parquet', () => {
  it('reads back as it was given, over several row groups', async () => {
    const path = join(folder, 'table.parquet');
    await write(await ParquetTableWriter.create(path, COLUMNS, 2), 5);
    const rows = await readParquet(path);
    COLUMNS.forEach(({ name }, i) => expect(rows.map((row) => row[name])).toEqual([...(ROWS[i] ?? [])]));
  });

  it('keeps distinct texts without a dictionary, and the others with one', async () => {
    const path = join(folder, 'distinct.parquet');
    const columns: TableColumn[] = [
      { name: 'cell', type: 'string', isDistinct: true },
      { name: 'perturbation', type: 'string' },
    ];
    const writer = await ParquetTableWriter.create(path, columns);
    await writer.append([
      ['c1', '', '中'],
      ['KO1', 'KO1', 'KO2'],
    ]);
    await writer.close();
    expect(await readParquet(path)).toEqual([
      { cell: 'c1', perturbation: 'KO1' },
      { cell: '', perturbation: 'KO1' },
      { cell: '中', perturbation: 'KO2' },
    ]);
    const { row_groups: groups } = parquetMetadata(bufferOf(await readFile(path)));
    const encodings = groups[0].columns.map(({ meta_data: column }) => column?.encodings);
    expect(encodings).toEqual([['PLAIN'], ['PLAIN', 'RLE_DICTIONARY']]);
  });

  it('has the same bytes whatever bits its NaNs have', async () => {
    const columns: readonly TableColumn[] = [
      { name: 'a', type: 'f32' },
      { name: 'b', type: 'f64' },
    ];
    const bytesOf = async (high: number): Promise<Buffer> => {
      const path = join(folder, `nan-${high}.parquet`);
      const writer = await ParquetTableWriter.create(path, columns);
      const bits = Uint32Array.of(1, high);
      await writer.append([new Float32Array(bits.buffer, 4, 1), new Float64Array(bits.buffer)]);
      await writer.close();
      return readFile(path);
    };
    expect((await bytesOf(0xffffffff)).equals(await bytesOf(0x7ff80001))).toBe(true);
  });

  it('may have no rows', async () => {
    const path = join(folder, 'empty.parquet');
    await (await ParquetTableWriter.create(path, COLUMNS)).close();
    expect(await readParquet(path)).toEqual([]);
  });
});

describe.each([
  ['csv', (path: string) => CsvWriter.create(path, COLUMNS)],
  ['parquet', (path: string) => ParquetTableWriter.create(path, COLUMNS, 3)],
] as const)('a table written as %s', (format, create) => {
  it('has the same bytes however its rows are grouped', async () => {
    const paths = [1, 2, 5].map((rowsPerCall) => ({ rowsPerCall, path: join(folder, `by${rowsPerCall}.${format}`) }));
    for (const { rowsPerCall, path } of paths) await write(await create(path), rowsPerCall);
    const [first, ...others] = await Promise.all(paths.map(({ path }) => readFile(path)));
    for (const other of others) expect(other.equals(first as Buffer)).toBe(true);
  });

  it('is complete once it is settled, and has its name once it is closed', async () => {
    const [plain, settled] = ['plain', 'settled'].map((name) => join(folder, `${name}.${format}`)) as [string, string];
    await write(await create(plain), 5);
    const writer = await create(settled);
    await writer.append(ROWS);
    await writer.settle();
    expect((await readdir(folder)).includes(`settled.${format}`)).toBe(false);
    await writer.close();
    expect((await readFile(settled)).equals(await readFile(plain))).toBe(true);
  });

  it('refuses columns of another number, type or length, and leaves nothing behind when it is aborted', async () => {
    const writer = await create(join(folder, `bad.${format}`));
    await expect(writer.append(ROWS.slice(1))).rejects.toThrow(InvariantBrokenError);
    await expect(writer.append([...ROWS.slice(0, 4), new Int32Array(5)])).rejects.toThrow(/not given as u8/);
    await expect(writer.append([...ROWS.slice(0, 4), new Uint8Array(4)])).rejects.toThrow(/4 rows/);
    await writer.abort();
    expect((await readdir(folder)).filter((name) => name.includes('bad'))).toEqual([]);
  });

  it('is refused where its folder is missing', async () => {
    await expect(create(join(folder, 'missing', `x.${format}`))).rejects.toThrow(InvalidInputError);
  });
});
