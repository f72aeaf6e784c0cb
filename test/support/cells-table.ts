import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parquetReadObjects } from 'hyparquet';

/** Size factor of each kept cell by its name, in file order, from `cells.parquet` of a results folder. */
export async function readSizeFactors(folder: string): Promise<Map<string, number>> {
  const bytes = await readFile(join(folder, 'cells.parquet'));
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  const rows = (await parquetReadObjects({ file })) as { cell: string; kept: number; size_factor: number }[];
  return new Map(rows.filter(({ kept }) => kept === 1).map((row) => [row.cell, row.size_factor]));
}
