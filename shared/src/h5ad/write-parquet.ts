import type { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import { toShardexError } from '../errors/index.js';
import { unifyNans } from '../matrix/index.js';
import { countBlockRows } from './write-table-block.js';
import { TemporaryFile } from './write-temporary-file.js';
import type { TableColumn, TableColumnType, TableValues, TableWriter } from './write-types.js';

/** Rows of a row group: a few MB a column set, so that readers can skip and writers stay small. */
const ROW_GROUP_ROWS = 131_072;
const CREATED_BY = 'shardex';

type SchemaElement = ConstructorParameters<typeof ParquetWriter>[0]['schema'][number];

/** A column's rows that wait for a full row group. */
type Buffered = string[] | Float64Array | Float32Array | Int32Array | Uint8Array;

/**
 * Writes a tidy table as Parquet, one row group at a time; memory is one row group.
 *
 * Columns are required (no nulls: NaN stays NaN). Strings are dictionary-encoded and carry statistics, unless they are distinct, so that readers
 * can skip row groups by perturbation; `u8` is stored as an unsigned 8-bit integer. The bytes depend on the rows alone,
 * not on how `append` was called.
 */
export class ParquetTableWriter implements TableWriter {
  private readonly buffered: Buffered[];
  private nBuffered = 0;
  private position = 0;
  private settling: Promise<void> | null = null;

  private constructor(
    private readonly file: TemporaryFile,
    private readonly columns: readonly TableColumn[],
    private readonly rowGroupRows: number,
    /** What the encoder has produced and the disk has not. */
    private readonly bytes: ByteWriter,
    private readonly parquet: ParquetWriter,
  ) {
    this.buffered = columns.map(({ type }) => emptyBuffer(type, rowGroupRows));
  }

  /** @param rowGroupRows - rows of a row group */
  static async create(
    path: string,
    columns: readonly TableColumn[],
    rowGroupRows = ROW_GROUP_ROWS,
  ): Promise<ParquetTableWriter> {
    // Imported when it is needed: most processes write no Parquet.
    const library = await import('hyparquet-writer');
    const bytes = new library.ByteWriter();
    const parquet = new library.ParquetWriter({ writer: bytes, schema: schemaOf(columns), createdBy: CREATED_BY });
    return new ParquetTableWriter(await TemporaryFile.create(path), columns, rowGroupRows, bytes, parquet);
  }

  async append(values: readonly TableValues[]): Promise<void> {
    const nRows = countBlockRows(this.columns, values);
    for (let from = 0; from < nRows;) {
      const count = Math.min(nRows - from, this.rowGroupRows - this.nBuffered);
      values.forEach((column, i) => copyRows(column, from, count, this.buffered[i], this.nBuffered));
      this.nBuffered += count;
      from += count;
      if (this.nBuffered === this.rowGroupRows) await this.writeRowGroup();
    }
  }

  settle(): Promise<void> {
    this.settling ??= this.complete();
    return this.settling;
  }

  async close(): Promise<void> {
    try {
      await this.settle();
      await this.file.commit();
    } catch (error) {
      await this.abort();
      throw error;
    }
  }

  async abort(): Promise<void> {
    await this.file.discard();
  }

  private async complete(): Promise<void> {
    try {
      if (this.nBuffered > 0) await this.writeRowGroup();
      await this.parquet.finish();
    } catch (error) {
      throw toShardexError(error, `writing ${this.file.path}`);
    }
    await this.drain();
    await this.file.sync();
  }

  private async writeRowGroup(): Promise<void> {
    try {
      await this.parquet.write({
        columnData: this.columns.map(({ name, type, isDistinct = false }, i) => ({
          name,
          data: this.buffered[i].slice(0, this.nBuffered),
          encoding: type === 'string' && !isDistinct ? 'RLE_DICTIONARY' : 'PLAIN',
          statistics: type === 'string' && !isDistinct,
        })),
        rowGroupSize: this.rowGroupRows,
      });
    } catch (error) {
      throw toShardexError(error, `writing ${this.file.path}`);
    }
    this.nBuffered = 0;
    await this.drain();
  }

  /** Moves what the encoder has produced to the disk. `offset` counts on; only the buffer starts again. */
  private async drain(): Promise<void> {
    const chunk = this.bytes.getBytes();
    await this.file.writeAt(chunk, this.position);
    this.position += chunk.length;
    this.bytes.index = 0;
  }
}

const schemaOf = (columns: readonly TableColumn[]): SchemaElement[] => [
  { name: 'root', num_children: columns.length },
  ...columns.map(({ name, type }): SchemaElement => ({ name, repetition_type: 'REQUIRED', ...PARQUET_TYPES[type] })),
];

const PARQUET_TYPES: Readonly<Record<TableColumnType, Omit<SchemaElement, 'name'>>> = {
  string: { type: 'BYTE_ARRAY', converted_type: 'UTF8' },
  f64: { type: 'DOUBLE' },
  f32: { type: 'FLOAT' },
  i32: { type: 'INT32' },
  u8: { type: 'INT32', converted_type: 'UINT_8' },
};

function emptyBuffer(type: TableColumnType, rows: number): Buffered {
  switch (type) {
    case 'string':
      return new Array<string>(rows).fill('');
    case 'f64':
      return new Float64Array(rows);
    case 'f32':
      return new Float32Array(rows);
    case 'i32':
      return new Int32Array(rows);
    case 'u8':
      return new Uint8Array(rows);
  }
}

function copyRows(source: TableValues, from: number, count: number, target: Buffered, at: number): void {
  if (ArrayBuffer.isView(source)) {
    const numbers = target as Float64Array;
    numbers.set((source as Float64Array).subarray(from, from + count), at);
    unifyNans(numbers.subarray(at, at + count));
    return;
  }
  const texts = target as string[];
  for (let i = 0; i < count; i++) texts[at + i] = source[from + i];
}
