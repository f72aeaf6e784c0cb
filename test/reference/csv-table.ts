import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

export interface Table {
  readonly names: readonly string[];
  column(name: string): Float64Array;
}

/** A CSV table by column; "NA" and empty fields become NaN, the row names are the first column. */
export const readTable = (path: string): Table => {
  const bytes = readFileSync(path);
  const [header, ...lines] = (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8').trim().split('\n');
  const columns = header.split(',').map((name) => name.replaceAll('"', ''));
  const rows = lines.map((line) => line.split(','));
  const value = (text: string): number => (text === '' || text === 'NA' ? NaN : Number(text));
  return {
    names: rows.map((row) => row[0].replaceAll('"', '')),
    column: (name) => Float64Array.from(rows, (row) => value(row[columns.indexOf(name)])),
  };
};
