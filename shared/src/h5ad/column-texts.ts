import type { ObsColumn } from './types.js';

/**
 * A column's entries as pandas would print them: whole floats as "1.0", booleans as "True" and "False".
 *
 * @returns null where an entry is missing (NaN counts as missing)
 */
export function columnTexts(column: ObsColumn): (string | null)[] {
  switch (column.kind) {
    case 'categorical':
      return Array.from(column.codes, (code) => (code < 0 ? null : column.categories[code]));
    case 'string':
      return [...column.values];
    case 'integer':
      return Array.from(column.values as ArrayLike<number | bigint>, (value, row) =>
        column.missing?.[row] === 1 ? null : String(value),
      );
    case 'float':
      return Array.from(column.values, (value, row) =>
        column.missing?.[row] === 1 || Number.isNaN(value)
          ? null
          : Number.isInteger(value)
            ? value.toFixed(1)
            : String(value),
      );
    case 'boolean':
      return Array.from(column.values, (value, row) =>
        column.missing?.[row] === 1 ? null : value === 0 ? 'False' : 'True',
      );
  }
}

/** A column as labels and, for each row, the position of its label; −1 where missing. */
export interface LabelledRows {
  readonly codes: Int32Array;
  readonly labels: readonly string[];
}

/**
 * Any column as labels. A categorical keeps its own order of categories; others are numbered by first appearance.
 */
export function columnLabels(column: ObsColumn): LabelledRows {
  if (column.kind === 'categorical') return { codes: column.codes, labels: column.categories };
  const texts = columnTexts(column);
  const codes = new Int32Array(texts.length);
  const positions = new Map<string, number>();
  for (let row = 0; row < texts.length; row++) {
    const text = texts[row];
    if (text !== null && !positions.has(text)) positions.set(text, positions.size);
    codes[row] = text === null ? -1 : (positions.get(text) ?? -1);
  }
  return { codes, labels: [...positions.keys()] };
}
