import { readFile } from 'node:fs/promises';

/** Fields of a CSV text, quoted ones included. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  for (const line of text.matchAll(/(?:"(?:[^"]|"")*"|[^"\n])+/g)) {
    const fields = [...line[0].matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)];
    rows.push(fields.map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain));
  }
  return rows;
}

/** A tidy table of results, looked up by perturbation and place of the gene (names may repeat). */
export class ResultTable {
  private constructor(
    private readonly header: readonly string[],
    private readonly rows: ReadonlyMap<string, readonly (readonly string[])[]>,
  ) {}

  static async read(path: string): Promise<ResultTable> {
    const [header, ...lines] = parseCsv(await readFile(path, 'utf8'));
    const rows = new Map<string, string[][]>();
    for (const line of lines) {
      const own = rows.get(line[0]) ?? [];
      own.push(line);
      rows.set(line[0], own);
    }
    return new ResultTable(header, rows);
  }

  get perturbations(): readonly string[] {
    return [...this.rows.keys()];
  }

  genes(perturbation: string): string[] {
    return (this.rows.get(perturbation) ?? []).map((row) => row[1]);
  }

  /** A column's values for one perturbation, in the file's order of genes; what is missing is NaN. */
  column(perturbation: string, name: string): number[] {
    const at = this.header.indexOf(name);
    return (this.rows.get(perturbation) ?? []).map((row) => (row[at] === '' ? NaN : Number(row[at])));
  }
}
