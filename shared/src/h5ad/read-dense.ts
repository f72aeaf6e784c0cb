import { BlockBuilder, countNonzeros, type CsrBlock, type RowSource, type ValueArray } from '../matrix/index.js';
import { chunkMapOf, ElementConverter, newValueArray, openChunkStream, type ChunkMap } from './decode/index.js';
import { streamOptions, type RowSourceContext } from './row-source-context.js';
import type { DenseMatrixDescriptor } from './types.js';

/** Rows that are decoded together; all lie in the same row of chunks. */
interface Band {
  readonly begin: number;
  readonly end: number;
  /** The row of chunks. */
  readonly chunkRow: number;
}

/**
 * Rows of a dense matrix. All chunks that a band of rows touches are decoded and put side by side; zeros are then left out.
 *
 * Every chunk is decoded once, unless a chunk's rows need more than `bandBytes`: such chunks are decoded once for each
 * part. Chunks that reach over the end of the row range are decoded by both neighbours' calls.
 */
export class DenseRowSource implements RowSource {
  readonly nRows: number;
  readonly nColumns: number;

  constructor(
    private readonly matrix: DenseMatrixDescriptor,
    private readonly context: RowSourceContext,
  ) {
    this.nRows = matrix.nRows;
    this.nColumns = matrix.nColumns;
  }

  async *blocks(rowBegin: number, rowEnd: number, maxNonzeros: number): AsyncGenerator<CsrBlock> {
    const { nColumns } = this;
    const builder = new BlockBuilder(nColumns, (length) => newValueArray(this.matrix.data.type, length));
    let blockBegin = rowBegin;
    for await (const { begin, end, values } of this.bands(rowBegin, rowEnd)) {
      for (let row = begin; row < end; row++) {
        const at = (row - begin) * nColumns;
        if (builder.nRows > 0 && builder.nonzeroCount + countNonzeros(values, at, nColumns) > maxNonzeros) {
          yield builder.block(blockBegin);
          builder.clear();
          blockBegin = row;
        }
        builder.append(values, at);
      }
    }
    if (builder.nRows > 0) yield builder.block(blockBegin);
  }

  /** The rows as dense bands, row-major; the array is reused. */
  private async *bands(
    rowBegin: number,
    rowEnd: number,
  ): AsyncGenerator<{ begin: number; end: number; values: ValueArray }> {
    const { nColumns, matrix, context } = this;
    const { data } = matrix;
    const map = chunkMapOf(data);
    const rowBytes = Math.max(1, nColumns * newValueArray(data.type, 0).BYTES_PER_ELEMENT);
    const plan = planBands(rowBegin, rowEnd, map, Math.max(1, Math.floor(context.bandBytes / rowBytes)));
    const chunks = plan.flatMap(({ chunkRow }) => chunkRowOf(chunkRow, map));
    const stream = await openChunkStream(data, map, chunks, this.reportingOnce());
    try {
      const chunk = new Uint8Array(map.chunkBytes);
      const converter = new ElementConverter(data.type, chunk.buffer);
      const rows = plan.reduce((most, { begin, end }) => Math.max(most, end - begin), 0);
      const values = newValueArray(data.type, rows * nColumns);
      const [chunkRows, chunkColumns] = map.chunkShape;
      for (const { begin, end, chunkRow } of plan) {
        for (let firstColumn = 0; firstColumn < nColumns; firstColumn += chunkColumns) {
          await stream.nextInto(chunk);
          const width = Math.min(chunkColumns, nColumns - firstColumn);
          for (let row = begin; row < end; row++) {
            const from = (row - chunkRow * chunkRows) * chunkColumns;
            converter.copy(from, width, values, (row - begin) * nColumns + firstColumn);
          }
        }
        yield { begin, end, values };
      }
    } finally {
      stream.close();
    }
  }

  /** Chunks come in ascending order except where a row of chunks is read again in parts. */
  private reportingOnce(): ReturnType<typeof streamOptions> {
    const options = streamOptions(this.context, 'data');
    const { onStoredChunk } = options;
    if (onStoredChunk === undefined) return options;
    let reported = -1;
    return {
      ...options,
      onStoredChunk: (chunk, bytes) => {
        if (chunk <= reported) return;
        reported = chunk;
        onStoredChunk(chunk, bytes);
      },
    };
  }
}

function planBands(rowBegin: number, rowEnd: number, map: ChunkMap, maxRows: number): Band[] {
  const [chunkRows] = map.chunkShape;
  const bands: Band[] = [];
  for (let begin = rowBegin; begin < rowEnd;) {
    const chunkRow = Math.floor(begin / chunkRows);
    const end = Math.min(rowEnd, (chunkRow + 1) * chunkRows, begin + maxRows);
    bands.push({ begin, end, chunkRow });
    begin = end;
  }
  return bands;
}

const chunkRowOf = (chunkRow: number, map: ChunkMap): number[] =>
  Array.from({ length: map.grid[1] }, (_, column) => chunkRow * map.grid[1] + column);
