import { countBlockRows } from './write-table-block.js';
import { TemporaryFile } from './write-temporary-file.js';
import type { TableColumn, TableValues, TableWriter } from './write-types.js';

/** Text is collected up to this length before it goes to the disk. */
const FLUSH_CHARACTERS = 1 << 20;

/**
 * Writes a tidy table as comma-separated values (RFC 4180, lines end with \n, UTF-8).
 *
 * A float64 is written with the fewest digits that give it back when read as float64, a float32 with the fewest that
 * give it back when read as float32. NaN is an empty field; infinities are `inf` and `-inf`, as pandas reads them.
 */
export class CsvWriter implements TableWriter {
  private text: string;
  private position = 0;

  private constructor(
    private readonly file: TemporaryFile,
    private readonly columns: readonly TableColumn[],
  ) {
    this.text = `${columns.map(({ name }) => quoted(name)).join(',')}\n`;
  }

  static async create(path: string, columns: readonly TableColumn[]): Promise<CsvWriter> {
    return new CsvWriter(await TemporaryFile.create(path), columns);
  }

  async append(values: readonly TableValues[]): Promise<void> {
    const nRows = countBlockRows(this.columns, values);
    // One escaped form a distinct string: gene names come again for every perturbation.
    const escaped = new Map<string, string>();
    for (let row = 0; row < nRows; row++) {
      let line = '';
      for (let i = 0; i < values.length; i++) {
        const column = values[i];
        if (i > 0) line += ',';
        if (column instanceof Float32Array) line += shortestFloat32(column[row]);
        else if (column instanceof Float64Array) line += shortestFloat64(column[row]);
        else if (ArrayBuffer.isView(column)) line += String(column[row]);
        else line += memoised(escaped, column[row]);
      }
      this.text += `${line}\n`;
      if (this.text.length >= FLUSH_CHARACTERS) await this.flush();
    }
  }

  async settle(): Promise<void> {
    await this.flush();
    await this.file.sync();
  }

  async close(): Promise<void> {
    try {
      await this.flush();
      await this.file.commit();
    } catch (error) {
      await this.abort();
      throw error;
    }
  }

  async abort(): Promise<void> {
    await this.file.discard();
  }

  private async flush(): Promise<void> {
    const bytes = Buffer.from(this.text, 'utf8');
    this.text = '';
    await this.file.writeAt(bytes, this.position);
    this.position += bytes.length;
  }
}

/** Digits after the first that always tell two float32 apart: 9 in all. */
const MAX_FLOAT32_DIGITS = 9;

/** The shortest decimal that reads back as the same float32. */
export function shortestFloat32(value: number): string {
  if (!Number.isFinite(value) || Number.isInteger(value)) return shortestFloat64(value);
  // Most values need all digits, hence from the top: 7 first, then fewer while it holds, else more.
  let digits = 7;
  if (Math.fround(Number(value.toPrecision(digits))) === value) {
    while (digits > 1 && Math.fround(Number(value.toPrecision(digits - 1))) === value) digits--;
  } else {
    while (digits < MAX_FLOAT32_DIGITS && Math.fround(Number(value.toPrecision(digits))) !== value) digits++;
  }
  return String(Number(value.toPrecision(digits)));
}

function shortestFloat64(value: number): string {
  if (Number.isNaN(value)) return '';
  if (value === Infinity) return 'inf';
  if (value === -Infinity) return '-inf';
  return Object.is(value, -0) ? '-0.0' : String(value);
}

function memoised(escaped: Map<string, string>, text: string): string {
  const known = escaped.get(text);
  if (known !== undefined) return known;
  const made = quoted(text);
  escaped.set(text, made);
  return made;
}

/** An empty text is quoted so that it stays apart from a missing value. */
const quoted = (text: string): string =>
  text === '' || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
