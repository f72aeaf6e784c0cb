import { CorruptDataError, InvalidInputError, UnsupportedDataError } from '../errors/index.js';
import { columnTexts } from './column-texts.js';
import type { Hdf5File } from './read-hdf5-file.js';
import type { Hdf5Values } from './read-hdf5-values.js';
import type { ColumnKind, ColumnSummary, ObsColumn, RowRange } from './types.js';

/** Where anndata before 0.8 kept the categories of a frame's columns. */
const OLD_CATEGORIES = '__categories';

/** The frame ("/obs", "/var", "/raw/var") of an h5ad file: its index and columns, in every encoding since anndata 0.7. */
export class FrameReader {
  /** Name of the dataset that holds the index. */
  private readonly indexName: string;
  /** Rows: one per cell or gene. */
  readonly nRows: number;

  /**
   * @param frame - path of the group
   * @param label - name of the file in error messages
   * @throws UnsupportedDataError for files from before anndata 0.7, whose frames are compound datasets
   */
  constructor(
    private readonly file: Hdf5File,
    private readonly frame: string,
    private readonly label: string,
  ) {
    if (file.kindOf(frame) === 'dataset') {
      throw new UnsupportedDataError(`${label} was written by anndata before 0.7: ${frame.slice(1)} is a table`, {
        hint: 'read and write it once with a current anndata',
      });
    }
    this.indexName = this.findIndex();
    this.nRows = this.lengthOf(`${frame}/${this.indexName}`);
  }

  /** Columns in the order of the frame; those the file promises but does not hold are left out. */
  columns(): ColumnSummary[] {
    return this.columnNames()
      .filter((name) => this.file.kindOf(`${this.frame}/${name}`) !== 'absent')
      .map((name) => this.summarise(name));
  }

  /** The names of the rows as text, or those of some rows. */
  async index(rows: RowRange = { begin: 0, end: this.nRows }): Promise<string[]> {
    const path = `${this.frame}/${this.indexName}`;
    const isPart = rows.begin > 0 || rows.end < this.nRows;
    if (isPart && this.categoriesPath(this.indexName, path) === null && this.file.kindOf(path) === 'dataset') {
      const names = await this.file.readStringRange(path, rows.begin, rows.end);
      if (names !== null) return names;
    }
    const column = await this.readNode(this.indexName, path);
    return columnTexts(column)
      .slice(rows.begin, rows.end)
      .map((text) => text ?? '');
  }

  /** Address of the dataset with the names of the rows, when `VariableStrings` reads it; otherwise null. */
  async indexAddress(): Promise<number | null> {
    const path = `${this.frame}/${this.indexName}`;
    return this.categoriesPath(this.indexName, path) === null ? this.file.addressOfStrings(path) : null;
  }

  /**
   * @throws InvalidInputError when there is no such column
   * @throws CorruptDataError when its length is not the frame's, or a code has no category
   */
  async read(name: string): Promise<ObsColumn> {
    const path = `${this.frame}/${name}`;
    if (!this.columnNames().includes(name) || this.file.kindOf(path) === 'absent') {
      throw new InvalidInputError(`${this.label} has no column "${name}" in ${this.frame.slice(1)}`, {
        hint: `it has ${this.columnNames().join(', ') || 'no columns'}`,
        details: { column: name },
      });
    }
    const column = await this.readNode(name, path);
    const length = column.kind === 'categorical' ? column.codes.length : column.values.length;
    if (length !== this.nRows) {
      throw this.corrupt(name, `has ${length} entries where ${this.frame.slice(1)} has ${this.nRows} rows`);
    }
    return column;
  }

  private findIndex(): string {
    const named = this.file.textAttribute(this.frame, '_index');
    const candidates = named === '' ? ['_index', 'index'] : [named];
    const found = candidates.find((name) => this.file.kindOf(`${this.frame}/${name}`) !== 'absent');
    if (found === undefined) {
      throw new CorruptDataError(`${this.label} has no index in ${this.frame.slice(1)}`, {
        hint: 'write the file again with anndata',
      });
    }
    return found;
  }

  private columnNames(): string[] {
    const order = this.file.attribute(this.frame, 'column-order');
    if (order?.kind === 'strings') return order.values;
    // An empty list of names is written as an empty list of numbers.
    if (order !== null) return [];
    const hidden = new Set([this.indexName, OLD_CATEGORIES]);
    return this.file.childrenOf(this.frame).filter((name) => !hidden.has(name));
  }

  private summarise(name: string): ColumnSummary {
    const path = `${this.frame}/${name}`;
    const encodingType = this.file.textAttribute(path, 'encoding-type');
    const categories = this.categoriesPath(name, path);
    if (categories !== null) {
      return { name, kind: 'categorical', encodingType, categoryCount: this.lengthOf(categories) };
    }
    const values = this.file.kindOf(path) === 'group' ? `${path}/values` : path;
    return { name, kind: this.kindOfValues(values), encodingType, categoryCount: null };
  }

  private kindOfValues(path: string): ColumnKind | 'unsupported' {
    if (this.file.kindOf(path) !== 'dataset') return 'unsupported';
    const metadata = this.file.metadataOf(path);
    if (metadata.shape?.length !== 1) return 'unsupported';
    // @source HDF5's H5T_class_t
    switch (metadata.type) {
      case 0:
        return 'integer';
      case 1:
        return 'float';
      case 3:
        return 'string';
      case 8:
        return metadata.size === 1 ? 'boolean' : 'unsupported';
      default:
        return 'unsupported';
    }
  }

  /** Path of a categorical column's categories, in any of the three ways they have been stored; null when it has none. */
  private categoriesPath(name: string, path: string): string | null {
    if (this.file.kindOf(path) === 'group') {
      const inside = `${path}/categories`;
      return this.file.kindOf(inside) === 'absent' ? null : inside;
    }
    const beside = `${this.frame}/${OLD_CATEGORIES}/${name}`;
    if (this.file.kindOf(beside) === 'dataset') return beside;
    return this.file.referencedNode(path, 'categories');
  }

  private async readNode(name: string, path: string): Promise<ObsColumn> {
    const categories = this.categoriesPath(name, path);
    return categories === null ? this.readPlain(name, path) : this.readCategorical(name, path, categories);
  }

  private async readPlain(name: string, path: string): Promise<ObsColumn> {
    if (this.file.kindOf(path) === 'dataset') return plainColumn(name, await this.file.readDataset(path), null);
    if (this.file.kindOf(`${path}/values`) !== 'dataset') {
      throw new UnsupportedDataError(`${this.label}: ${path.slice(1)} is stored in a way that is not read`, {
        hint: 'turn the column into strings or numbers with pandas first',
      });
    }
    const masked = this.file.kindOf(`${path}/mask`) === 'dataset' ? await this.file.readDataset(`${path}/mask`) : null;
    const missing = masked === null ? null : maskOf(masked);
    return plainColumn(name, await this.file.readDataset(`${path}/values`), missing);
  }

  private async readCategorical(name: string, path: string, categoriesPath: string): Promise<ObsColumn> {
    const isGroup = this.file.kindOf(path) === 'group';
    const codes = await this.file.readDataset(isGroup ? `${path}/codes` : path);
    const categories = columnTexts(await this.readPlain(name, categoriesPath)).map((text) => text ?? '');
    const ordered = this.file.attribute(isGroup ? path : categoriesPath, 'ordered');
    if (codes.kind !== 'integers') throw this.corrupt(name, 'has codes that are not whole numbers');
    const { values } = codes;
    const numbers = new Int32Array(values.length);
    for (let row = 0; row < numbers.length; row++) {
      const code = Number(values[row]);
      if (code < -1 || code >= categories.length) {
        throw this.corrupt(name, `has code ${code} at row ${row} but ${categories.length} categories`);
      }
      numbers[row] = code;
    }
    const isOrdered = ordered?.kind === 'booleans' && ordered.values[0] === 1;
    return { kind: 'categorical', name, codes: numbers, categories, ordered: isOrdered };
  }

  private lengthOf(path: string): number {
    if (this.file.kindOf(path) === 'dataset') return this.file.metadataOf(path).shape?.[0] ?? 0;
    const inner = ['codes', 'values'].find((name) => this.file.kindOf(`${path}/${name}`) === 'dataset');
    return inner === undefined ? 0 : this.lengthOf(`${path}/${inner}`);
  }

  private corrupt(name: string, reason: string): CorruptDataError {
    return new CorruptDataError(`${this.label}: column "${name}" of ${this.frame.slice(1)} ${reason}`, {
      hint: 'write the file again with anndata',
      details: { column: name },
    });
  }
}

const maskOf = (values: Hdf5Values): Uint8Array =>
  values.kind === 'booleans'
    ? values.values
    : values.kind === 'integers'
      ? Uint8Array.from(values.values as Float64Array, Number)
      : new Uint8Array(0);

function plainColumn(name: string, values: Hdf5Values, missing: Uint8Array | null): ObsColumn {
  switch (values.kind) {
    case 'strings':
      return {
        kind: 'string',
        name,
        values: missing === null ? values.values : values.values.map((text, row) => (missing[row] === 1 ? null : text)),
      };
    case 'integers':
      return { kind: 'integer', name, values: values.values, missing };
    case 'floats':
      return { kind: 'float', name, values: values.values, missing };
    case 'booleans':
      return { kind: 'boolean', name, values: values.values, missing };
    case 'references':
      throw new UnsupportedDataError(`column "${name}" holds references`, { hint: 'remove the column' });
  }
}
