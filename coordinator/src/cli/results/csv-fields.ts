/** A text as a field of a CSV table. */
export const csvText = (text: string): string => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/** A number that was not computed is an empty field, as in the tables that `--format csv` writes. */
export const csvValue = (value: number | string): string => (Number.isNaN(value) ? '' : String(value));
