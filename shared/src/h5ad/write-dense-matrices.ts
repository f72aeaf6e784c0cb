import { InvalidInputError, InvariantBrokenError } from '../errors/index.js';
import { unifyNans } from '../matrix/index.js';
import { bytesPerElement, type BulkDtype } from './write-hdf5-skeleton.js';
import { patchContiguousLayout, patchDimensions, type HeaderPositions } from './write-object-header.js';
import type { TemporaryFile } from './write-temporary-file.js';
import type { MatrixDtype, MatrixRows } from './write-types.js';

/** Bulk data begins on a page, so that reads of whole rows need no extra page. */
const ALIGNMENT = 4096;
export const aligned = (position: number): number => Math.ceil(position / ALIGNMENT) * ALIGNMENT;

/** A dense matrix and its place in the file. */
interface Dense {
  readonly dtype: MatrixDtype;
  readonly nRows: number;
  readonly nColumns: number;
  address: number;
  /** 1 for each row that was written. */
  readonly written: Uint8Array;
}

/** The dense matrices of a file being written: contiguous, uncompressed, row r of matrix m at address(m) + r · rowBytes. */
export class DenseMatrices {
  private readonly matrices = new Map<string, Dense>();

  /** @throws InvalidInputError for a path that is taken, or that is below more than one group */
  add(path: string, dtype: MatrixDtype, nRows: number, nColumns: number): void {
    if (this.matrices.has(path) || path.split('/').length > 2) {
      throw new InvalidInputError(`"${path}" is no name, or is named twice, for a matrix of an h5ad file`);
    }
    this.matrices.set(path, { dtype, nRows, nColumns, address: 0, written: new Uint8Array(nRows) });
  }

  get bytes(): number {
    return [...this.matrices.values()].reduce((sum, matrix) => sum + matrix.nRows * rowBytes(matrix), 0);
  }

  *entries(): Generator<readonly [path: string, dtype: MatrixDtype]> {
    for (const [path, { dtype }] of this.matrices) yield [path, dtype];
  }

  /**
   * Gives every matrix its place: from `begin` on, or where it is already. What was written to another place is forgotten.
   *
   * @param present - addresses of the matrices that the file has already
   * @returns the first byte after them
   */
  place(begin: number, present: ReadonlyMap<string, number> = new Map()): number {
    let position = aligned(begin);
    for (const [path, matrix] of this.matrices) {
      const address = present.get(path);
      if (address !== undefined) {
        matrix.address = address;
        continue;
      }
      matrix.address = position;
      matrix.written.fill(0);
      position = aligned(position + matrix.nRows * rowBytes(matrix));
    }
    return position;
  }

  /** NaNs get the same bits, in `data` itself. @throws InvariantBrokenError for rows that are not the matrix's, or of another type */
  async writeRows(file: TemporaryFile, path: string, rowBegin: number, data: MatrixRows): Promise<void> {
    const target = this.matrices.get(path);
    if (target === undefined) throw new InvariantBrokenError(`${file.path} has no dense matrix ${path}`);
    if (dtypeOf(data) !== target.dtype) {
      throw new InvariantBrokenError(`${path} holds ${target.dtype} but was given ${dtypeOf(data)}`);
    }
    const nRows = target.nColumns === 0 ? 0 : data.length / target.nColumns;
    if (!Number.isInteger(nRows) || rowBegin < 0 || rowBegin + nRows > target.nRows) {
      throw new InvariantBrokenError(
        `${data.length} values from row ${rowBegin} do not fit ${path} of ${target.nRows} × ${target.nColumns}`,
      );
    }
    unifyNans(data);
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    await file.writeAt(bytes, target.address + rowBegin * rowBytes(target));
    target.written.fill(1, rowBegin, rowBegin + nRows);
  }

  /**
   * Gives the place-holders the dimensions and addresses of their matrices.
   *
   * @throws InvariantBrokenError when a row was never written
   */
  async patch(file: TemporaryFile, headerOf: (path: string) => HeaderPositions): Promise<void> {
    for (const [path, matrix] of this.matrices) {
      const missing = matrix.nColumns === 0 ? -1 : matrix.written.indexOf(0);
      if (missing >= 0) throw new InvariantBrokenError(`row ${missing} of ${path} was never written`);
      await patchContiguous(file, headerOf(path), path, [matrix.nRows, matrix.nColumns], matrix.address, matrix.dtype);
    }
  }
}

/** Gives a contiguous place-holder its dimensions and the address of its bytes. */
export async function patchContiguous(
  file: TemporaryFile,
  header: HeaderPositions,
  path: string,
  shape: readonly number[],
  address: number,
  dtype: BulkDtype,
): Promise<void> {
  const bytes = shape.reduce((product, size) => product * size, bytesPerElement(dtype));
  await patchDimensions(file, header, path, shape);
  await patchContiguousLayout(file, header, path, address, bytes);
}

const rowBytes = (matrix: Dense): number => matrix.nColumns * bytesPerElement(matrix.dtype);

function dtypeOf(data: MatrixRows): MatrixDtype {
  if (data instanceof Float32Array) return 'f32';
  if (data instanceof Float64Array) return 'f64';
  return data instanceof Uint8Array ? 'u8' : 'i32';
}
