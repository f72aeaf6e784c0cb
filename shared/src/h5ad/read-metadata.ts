import { InvalidInputError } from '../errors/index.js';
import { BlockingByteSource, isS3Uri, openByteSource, type ByteSource } from '../storage/index.js';
import { Hdf5Bytes } from './hdf5/index.js';
import { FrameReader } from './read-columns.js';
import { Hdf5File } from './read-hdf5-file.js';
import { describeMatrix, listMatrices } from './read-matrices.js';
import type {
  ColumnSummary,
  DuplicateNames,
  H5adMetadata,
  MatrixDescriptor,
  MatrixSummary,
  MetadataRequest,
  ObsColumn,
} from './types.js';

/**
 * An open h5ad file whose metadata are read in this very thread. The HDF5 library's memory never shrinks, so a process
 * that is to live calls `openH5adMetadata` instead, which does this in a thread of its own.
 */
export class MetadataFile {
  private overview: Overview | null = null;

  private constructor(
    private readonly source: ByteSource,
    private readonly bytes: Hdf5Bytes,
    private readonly file: Hdf5File,
  ) {}

  /** @throws InvalidInputError for what is not an HDF5 file, or open for writing; CorruptDataError */
  static async open(path: string): Promise<MetadataFile> {
    // The HDF5 library reads without awaiting.
    const source = isS3Uri(path) ? await BlockingByteSource.open(path) : await openByteSource(path);
    try {
      const bytes = await Hdf5Bytes.open(source);
      if (bytes.openForWriting) {
        throw new InvalidInputError(`${source.uri} is open in a program that writes to it, or that program crashed`, {
          hint: 'close it there; after a crash run "h5clear -s"',
        });
      }
      return new MetadataFile(source, bytes, await Hdf5File.open(bytes));
    } catch (error) {
      await source.close();
      throw error;
    }
  }

  /** @throws InvalidInputError for what is no h5ad file, or lacks what was asked for; CorruptDataError, UnsupportedDataError */
  read(request: MetadataRequest): Promise<H5adMetadata> {
    this.overview ??= overviewOf(this.file, this.source.uri);
    return assemble(this.source, this.bytes, this.file, this.overview, request);
  }

  async close(): Promise<void> {
    this.file.close();
    await this.source.close();
  }
}

/** What every request needs, looked up once. */
interface Overview {
  readonly obs: FrameReader;
  readonly vars: FrameReader;
  readonly matrices: readonly MatrixSummary[];
  readonly obsColumns: readonly ColumnSummary[];
  readonly varColumns: readonly ColumnSummary[];
  readonly encodingType: string;
  readonly encodingVersion: string;
}

function overviewOf(file: Hdf5File, label: string): Overview {
  refuseOtherFormats(file, label);
  const obs = new FrameReader(file, '/obs', label);
  const vars = new FrameReader(file, '/var', label);
  return {
    obs,
    vars,
    matrices: listMatrices(file, label),
    obsColumns: obs.columns(),
    varColumns: vars.columns(),
    encodingType: file.textAttribute('/', 'encoding-type'),
    encodingVersion: file.textAttribute('/', 'encoding-version'),
  };
}

async function assemble(
  source: ByteSource,
  bytes: Hdf5Bytes,
  file: Hdf5File,
  overview: Overview,
  request: MetadataRequest,
): Promise<H5adMetadata> {
  const label = source.uri;
  const { obs, vars, matrices, obsColumns, varColumns, encodingType, encodingVersion } = overview;
  const useRaw = request.matrix === 'raw/X' && file.kindOf('/raw/var') !== 'absent';
  const genes = useRaw ? new FrameReader(file, '/raw/var', label) : vars;
  const descriptor =
    request.matrix === undefined
      ? null
      : await describeMatrix(file, bytes, matrices, request.matrix, obs.nRows, genes.nRows);
  const descriptors: MatrixDescriptor[] = [];
  for (const path of request.matrices ?? [])
    descriptors.push(await describeMatrix(file, bytes, matrices, path, obs.nRows, genes.nRows));
  const { obsNames: wanted } = request;
  const obsNames = wanted === true ? await obs.index() : wanted ? await obs.index(wanted) : null;
  const varNames = request.varNames === false ? null : await genes.index();
  const duplicateObsNames = wanted === true && obsNames !== null ? duplicatesOf(obsNames) : null;
  const duplicateVarNames = varNames === null ? null : duplicatesOf(varNames);
  const columns: ObsColumn[] = [];
  for (const name of request.obsColumns ?? []) columns.push(await obs.read(name));
  const geneColumns: ObsColumn[] = [];
  for (const name of request.varColumns ?? []) geneColumns.push(await vars.read(name));
  return {
    path: label,
    sizeBytes: source.sizeBytes,
    version: source.version,
    encodingType,
    encodingVersion,
    nObs: obs.nRows,
    nVar: vars.nRows,
    matrices,
    obsColumns,
    varColumns,
    obsNames,
    obsNamesAddress: request.obsNamesAddress === true ? await obs.indexAddress() : null,
    varNames,
    duplicateObsNames,
    duplicateVarNames,
    columns,
    geneColumns,
    descriptor,
    descriptors,
    warnings: [...duplicateWarning('cell', duplicateObsNames), ...duplicateWarning('gene', duplicateVarNames)],
  };
}

/** Says what the file is when it is HDF5 but not AnnData. */
function refuseOtherFormats(file: Hdf5File, label: string): void {
  const has = (node: string): boolean => file.kindOf(node) !== 'absent';
  if (has('/obs') && has('/var') && !has('/mod')) return;
  // In a damaged file nothing can be found either: listing the root tells the two apart.
  file.childrenOf('/');
  const [what, hint] = has('/mod')
    ? ['a MuData file with several modalities', 'write the one with RNA counts as its own .h5ad']
    : has('/row_attrs')
      ? ['a loom file', 'convert it with scanpy.read_loom(…).write_h5ad(…)']
      : has('/matrix')
        ? ['a 10x Genomics file', 'convert it with scanpy.read_10x_h5(…).write_h5ad(…)']
        : [
            `HDF5 but not AnnData: it has no ${has('/obs') ? 'var' : 'obs'}`,
            'give an .h5ad file as written by anndata',
          ];
  throw new InvalidInputError(`${label} is ${what}`, { hint, details: { path: label } });
}

function duplicatesOf(names: readonly string[]): DuplicateNames {
  const seen = new Set<string>();
  let example: string | null = null;
  for (const name of names) {
    if (seen.has(name)) example ??= name;
    seen.add(name);
  }
  return { count: names.length - seen.size, example };
}

function duplicateWarning(what: string, duplicates: DuplicateNames | null): string[] {
  if (duplicates === null || duplicates.count === 0) return [];
  return [`${duplicates.count} ${what} names occur more than once, "${duplicates.example}" for one`];
}
