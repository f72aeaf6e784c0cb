import { TEST_OUTPUTS } from '@shardex/shared/artifacts';
import { suggestName, TEST_NAMES, type TestName } from '@shardex/shared/config';
import { CorruptDataError, InvalidInputError } from '@shardex/shared/errors';
import { openRowSource, readH5adMetadata, type H5adMetadata, type ObsColumn } from '@shardex/shared/h5ad';
import { joinUri, openByteSource, openStore, type ByteSource } from '@shardex/shared/storage';
import type { RowSource } from '@shardex/shared/matrix';

/** A dense layer of a result file, read by rows. */
interface OpenLayer {
  readonly name: string;
  readonly rows: RowSource;
}

/** Rows of some layers: `values(layer)` has (rowEnd − rowBegin) × genes entries, row-major. */
export type ResultRows = ReadonlyMap<string, Float64Array>;

/** Columns of var that stand for the control where all perturbations share it. */
const GENE_COLUMNS = ['control_mean', 'pts_rest'] as const;

function numbersOf(columns: readonly ObsColumn[], name: string): Float64Array | null {
  const column = columns.find((each) => each.name === name);
  if (column === undefined || (column.kind !== 'integer' && column.kind !== 'float')) return null;
  return Float64Array.from(column.values as ArrayLike<number | bigint>, Number);
}

const fileName = (test: TestName): string => `${TEST_OUTPUTS[test].file}.h5ad`;

/** Tests that have a result file in the folder, which may be s3://…; none where there is no such folder. */
export async function presentTests(folder: string): Promise<TestName[]> {
  const store = openStore(folder);
  const present = await Promise.all(TEST_NAMES.map((test) => store.exists(fileName(test))));
  return TEST_NAMES.filter((_, i) => present[i]);
}

/** The results of one test: names, counts, and any rows of any layers. Nothing is read before it is asked for. */
export class ResultFile {
  private constructor(
    readonly test: TestName,
    readonly path: string,
    private readonly metadata: H5adMetadata,
    private readonly source: ByteSource,
  ) {}

  /** @throws InvalidInputError when the folder has no results of this test */
  static async open(folder: string, test: TestName): Promise<ResultFile> {
    const path = joinUri(folder, fileName(test));
    if (!(await openStore(folder).exists(fileName(test)))) {
      const others = await presentTests(folder);
      throw new InvalidInputError(`${folder} has no results of ${test} (${fileName(test)})`, {
        hint:
          others.length === 0
            ? 'name the folder that "shardex de --out" wrote'
            : `it has those of ${others.join(', ')}`,
      });
    }
    const overview = await readH5adMetadata(path, { varNames: false });
    const counts = ['n_cells', 'n_genes_tested'].filter((name) =>
      overview.obsColumns.some((column) => column.name === name),
    );
    const varColumns = GENE_COLUMNS.filter((name) => overview.varColumns.some((column) => column.name === name));
    const metadata = await readH5adMetadata(path, { obsNames: true, varNames: true, obsColumns: counts, varColumns });
    return new ResultFile(test, path, metadata, await openByteSource(path));
  }

  get perturbations(): readonly string[] {
    return this.metadata.obsNames ?? [];
  }

  get genes(): readonly string[] {
    return this.metadata.varNames ?? [];
  }

  /** Layers of the file in the contract's order; the effect is "X". */
  get layers(): readonly string[] {
    const present = this.metadata.matrices.map(({ path }) => path.replace(/^layers\//, ''));
    const known = TEST_OUTPUTS[this.test].layers.map(({ name }) => name);
    return [...known.filter((name) => present.includes(name)), ...present.filter((name) => !known.includes(name))];
  }

  /** Whether a layer is stored with 24 bits of precision. */
  isFloat32(layer: string): boolean {
    const path = layer === 'X' ? 'X' : `layers/${layer}`;
    return this.metadata.matrices.some((matrix) => matrix.path === path && matrix.dtype === 'float32');
  }

  /** A numeric column of obs, one entry per perturbation; NaN where the file has none. */
  counts(name: 'n_cells' | 'n_genes_tested'): Float64Array {
    return numbersOf(this.metadata.columns, name) ?? new Float64Array(this.perturbations.length).fill(Number.NaN);
  }

  /** A numeric column of var that describes the control cells, one entry per gene; null where the file has none. */
  ofControl(name: (typeof GENE_COLUMNS)[number]): Float64Array | null {
    return numbersOf(this.metadata.geneColumns, name);
  }

  /** Row of a perturbation. @throws InvalidInputError when it was not tested */
  rowOf(perturbation: string): number {
    const row = this.perturbations.indexOf(perturbation);
    if (row >= 0) return row;
    const near = suggestName(perturbation, this.perturbations);
    throw new InvalidInputError(`${this.path} has no perturbation "${perturbation}"`, {
      hint: near === null ? 'run "shardex results DIR" to see which it has' : `did you mean "${near}"?`,
    });
  }

  /** Opens layers for reading. @throws CorruptDataError when the file lacks one */
  async openLayers(names: readonly string[]): Promise<OpenLayer[]> {
    const matrices = names.map((name) => (name === 'X' ? 'X' : `layers/${name}`));
    const absent = names.findIndex((name) => !this.layers.includes(name));
    if (absent >= 0) {
      throw new CorruptDataError(`${this.path} has no ${matrices[absent]}`, {
        hint: 'run "shardex de" again',
        details: { path: this.path },
      });
    }
    const { descriptors } = await readH5adMetadata(this.path, { matrices, varNames: false });
    return names.map((name, i) => ({ name, rows: openRowSource(descriptors[i], this.source) }));
  }

  /** Rows [rowBegin, rowEnd) of the layers, dense. */
  async readRows(layers: readonly OpenLayer[], rowBegin: number, rowEnd: number): Promise<ResultRows> {
    const nGenes = this.genes.length;
    const read = new Map<string, Float64Array>();
    for (const { name, rows } of layers) {
      const dense = new Float64Array((rowEnd - rowBegin) * nGenes);
      for await (const block of rows.blocks(rowBegin, rowEnd, Math.max(1, dense.length))) {
        for (let row = 0; row < block.nRows; row++) {
          const base = (block.rowBegin + row - rowBegin) * nGenes;
          for (let at = block.indptr[row]; at < block.indptr[row + 1]; at++)
            dense[base + block.indices[at]] = block.values[at];
        }
      }
      read.set(name, dense);
    }
    return read;
  }

  close(): Promise<void> {
    return this.source.close();
  }
}
