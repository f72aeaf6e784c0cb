import { csvText, csvValue, ResultFile, tidyName, tidyRows } from './cli/index.js';
import type { ResultsRequest } from './domain/index.js';

/** Rows sent at a time: about 100 KiB of text, well within a message. */
const ROWS_PER_CHUNK = 1000;

/** One test's results as CSV text, header first, in chunks. */
export async function* streamResults(folder: string, request: ResultsRequest): AsyncGenerator<Uint8Array> {
  const file = await ResultFile.open(folder, request.test);
  const encoder = new TextEncoder();
  try {
    let lines = [['perturbation', 'gene', ...file.layers.map(tidyName)].join(',')];
    for await (const { perturbation, gene, values } of tidyRows(file, request)) {
      lines.push([csvText(perturbation), csvText(gene), ...[...values.values()].map(csvValue)].join(','));
      if (lines.length < ROWS_PER_CHUNK) continue;
      yield encoder.encode(`${lines.join('\n')}\n`);
      lines = [];
    }
    if (lines.length > 0) yield encoder.encode(`${lines.join('\n')}\n`);
  } finally {
    await file.close();
  }
}
