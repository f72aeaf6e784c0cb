import { InvariantBrokenError } from '../errors/index.js';
import type { TableColumn, TableColumnType, TableValues } from './write-types.js';

const matches = (type: TableColumnType, values: TableValues): boolean => {
  switch (type) {
    case 'string':
      return Array.isArray(values);
    case 'f64':
      return values instanceof Float64Array;
    case 'f32':
      return values instanceof Float32Array;
    case 'i32':
      return values instanceof Int32Array;
    case 'u8':
      return values instanceof Uint8Array;
  }
};

/**
 * Checks a block of rows against the table's columns.
 *
 * @returns the number of rows
 * @throws InvariantBrokenError when a column is missing, of another type or of another length
 */
export function countBlockRows(columns: readonly TableColumn[], values: readonly TableValues[]): number {
  if (values.length !== columns.length) {
    throw new InvariantBrokenError(`a table of ${columns.length} columns was given ${values.length}`);
  }
  const nRows = values[0]?.length ?? 0;
  columns.forEach(({ name, type }, i) => {
    const column = values[i];
    if (!matches(type, column)) throw new InvariantBrokenError(`column ${name} was not given as ${type}`);
    if (column.length !== nRows) {
      throw new InvariantBrokenError(`column ${name} has ${column.length} rows where others have ${nRows}`);
    }
  });
  return nRows;
}
