export interface TableColumn {
  readonly title: string;
  /** Numbers stand to the right. */
  readonly align?: 'left' | 'right';
}

/** Escape sequences take no room on the screen. */
// eslint-disable-next-line no-control-regex
const shownLength = (text: string): number => text.replace(/\u001b\[\d+m/g, '').length;

function pad(text: string, width: number, align: 'left' | 'right'): string {
  const blanks = ' '.repeat(Math.max(0, width - shownLength(text)));
  return align === 'right' ? blanks + text : text + blanks;
}

/**
 * Rows under their titles, columns two spaces apart, no trailing blanks; one line a row, each ending in a line feed.
 *
 * @param decorateTitle - as bold; identity by default
 */
export function renderTable(
  columns: readonly TableColumn[],
  rows: readonly (readonly string[])[],
  decorateTitle: (text: string) => string = (text) => text,
): string {
  const widths = columns.map(({ title }, index) =>
    Math.max(title.length, ...rows.map((row) => shownLength(row[index] ?? ''))),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, index) => pad(cell, widths[index], columns[index].align ?? 'left'))
      .join('  ')
      .trimEnd();
  return [line(columns.map(({ title }) => decorateTitle(title))), ...rows.map(line)]
    .map((text) => `${text}\n`)
    .join('');
}

/** Names and values, the values aligned: for a short description of one thing. */
export function renderFacts(
  facts: readonly (readonly [string, string])[],
  decorateName: (text: string) => string = (text) => text,
): string {
  const width = Math.max(0, ...facts.map(([name]) => name.length));
  return facts.map(([name, value]) => `${pad(decorateName(name), width, 'left')}  ${value}`.trimEnd() + '\n').join('');
}
