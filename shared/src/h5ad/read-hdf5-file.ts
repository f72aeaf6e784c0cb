import { CorruptDataError, ShardexError, UnsupportedDataError } from '../errors/index.js';
import { BlockingByteSource } from '../storage/index.js';
import { DECODED_FILTERS } from './decode/chunk-decoder.js';
import { refuseForeignFilters } from './decode/readable-filters.js';
import { VariableStrings, type Hdf5Bytes } from './hdf5/index.js';
import {
  hasDiagnostics,
  loadH5wasm,
  readingAlone,
  takeDiagnostics,
  takeRefusedFile,
  type H5Module,
  type Hdf5Metadata,
} from './h5wasm-module.js';
import { decodeValues, type Hdf5Values } from './read-hdf5-values.js';
import { mountRemoteFile, type RemoteFile } from './remote-file.js';

/** Registered number of the filter whose plugin fails on strings. */
const LZF = 32000;

export type Hdf5NodeKind = 'group' | 'dataset' | 'other' | 'absent';

/**
 * Groups, attributes and small datasets of an HDF5 file, by way of h5wasm.
 *
 * The library answers many failures with uninitialised memory instead of an error; this class is the only way to it
 * and checks every status. It reads this file alone: what lies in another one is refused. Paths are absolute within the file ("/obs/batch").
 */
export class Hdf5File {
  private constructor(
    private readonly module: H5Module,
    private readonly id: bigint,
    private readonly bytes: Hdf5Bytes,
    /** By which the library knows the file. */
    private readonly opened: string,
    /** null for a local file. */
    private readonly remote: RemoteFile | null,
  ) {}

  /**
   * @param bytes - of a local file, or of a `BlockingByteSource`
   * @throws CorruptDataError when HDF5 cannot open it
   */
  static async open(bytes: Hdf5Bytes): Promise<Hdf5File> {
    const { source } = bytes;
    const module = await loadH5wasm();
    const readNow = (offset: number, length: number): Uint8Array =>
      (source as BlockingByteSource).readNow(offset, length);
    const remote =
      source instanceof BlockingByteSource ? mountRemoteFile(module, source.uri, source.sizeBytes, readNow) : null;
    takeDiagnostics();
    const opened = remote?.path ?? source.uri;
    const id = readingAlone(opened, () => module.open(opened, module.H5F_ACC_RDONLY, false, -1, -1));
    if (id >= 0n) return new Hdf5File(module, id, bytes, opened, remote);
    remote?.unmount();
    throw remote?.takeFailure() ?? damaged(source.uri, 'the file cannot be opened');
  }

  private get path(): string {
    return this.bytes.source.uri;
  }

  close(): void {
    this.module.close_file(this.id);
    this.remote?.unmount();
  }

  kindOf(node: string): Hdf5NodeKind {
    return this.checked(node, () => {
      switch (this.module.get_type(this.id, node)) {
        case this.module.H5G_GROUP:
          return 'group';
        case this.module.H5G_DATASET:
          return 'dataset';
        case -1:
          return 'absent';
        default:
          return 'other';
      }
    });
  }

  /** Names of what is in a group; empty when there is no such group. */
  childrenOf(group: string): string[] {
    if (this.kindOf(group) !== 'group') return [];
    return this.checked(group, () => this.module.get_names(this.id, group, false));
  }

  /** An attribute's values, null when the node has no such attribute or the attribute is empty. */
  attribute(node: string, name: string): Hdf5Values | null {
    if (this.kindOf(node) === 'absent') return null;
    return this.checked(`${node}@${name}`, () => {
      if (!this.module.get_attribute_names(this.id, node).includes(name)) return null;
      const metadata = this.module.get_attribute_metadata(this.id, node, name);
      return this.read(
        metadata,
        (pointer) => this.module.get_attribute_data(this.id, node, name, pointer),
        (pointer) => this.module.reclaim_vlen_memory(this.id, node, name, pointer),
      );
    });
  }

  /** An attribute that is one string; empty when it is absent or something else. */
  textAttribute(node: string, name: string): string {
    const value = this.attribute(node, name);
    return value?.kind === 'strings' && value.values.length > 0 ? value.values[0] : '';
  }

  metadataOf(dataset: string): Hdf5Metadata {
    return this.checked(dataset, () => this.module.get_dataset_metadata(this.id, dataset));
  }

  /** Registered numbers of a dataset's filters, in the order of writing. */
  filtersOf(dataset: string): number[] {
    return this.checked(dataset, () => this.module.get_dataset_filters(this.id, dataset).map((filter) => filter.id));
  }

  /** All values of a dataset, flattened. */
  async readDataset(dataset: string): Promise<Hdf5Values> {
    if (this.isReadByUs(dataset)) {
      const strings = await this.strings(dataset);
      return { kind: 'strings', values: await strings.read({ begin: 0, end: strings.count }) };
    }
    return this.checked(dataset, () => {
      const metadata = this.module.get_dataset_metadata(this.id, dataset);
      const values = this.read(
        metadata,
        (pointer) => this.module.get_dataset_data(this.id, dataset, null, null, null, pointer),
        (pointer) => this.module.reclaim_vlen_memory(this.id, dataset, '', pointer),
      );
      if (values === null) throw this.failed(`${dataset.slice(1)} holds no values`);
      return values;
    });
  }

  /** Strings [begin, end) of a list of them; of other values, null: nothing is read. */
  async readStringRange(dataset: string, begin: number, end: number): Promise<string[] | null> {
    if (this.isReadByUs(dataset)) return (await this.strings(dataset)).read({ begin, end });
    return this.checked(dataset, () => {
      const metadata = this.module.get_dataset_metadata(this.id, dataset);
      if (metadata.type !== this.module.H5T_class_t.H5T_STRING.value || metadata.shape?.length !== 1) return null;
      const [count, from] = [end - begin, begin].map(BigInt);
      const values = this.read(
        { ...metadata, total_size: end - begin },
        (pointer) => this.module.get_dataset_data(this.id, dataset, [count], [from], [1n], pointer),
        (pointer) => this.freeStrings(Number(pointer), end - begin),
      );
      return values?.kind === 'strings' ? values.values : null;
    });
  }

  /**
   * Some elements of a numeric dataset as stored, but little-endian: the slow way round filters we do not decode.
   *
   * @param begin - first element in each dimension
   * @param count - number of elements in each dimension
   */
  readSlice(dataset: string, begin: readonly number[], count: readonly number[], target: Uint8Array): void {
    this.checked(dataset, () => {
      const pointer = this.allocate(target.byteLength);
      try {
        const status = this.module.get_dataset_data(
          this.id,
          dataset,
          count.map(BigInt),
          begin.map(BigInt),
          count.map(() => 1n),
          BigInt(pointer),
        );
        if (status < 0) throw this.failed(`${dataset.slice(1)} cannot be read at element ${begin.join(', ')}`);
        target.set(this.module.HEAPU8.subarray(pointer, pointer + target.byteLength));
      } finally {
        this.module._free(pointer);
      }
    });
  }

  /** Address of a node's object header, relative to the superblock: what an HDF5 object reference holds. */
  addressOf(node: string): number {
    return this.checked(node, () => {
      // Typed as a Uint8Array but in truth a plain array.
      const reference = Uint8Array.from(this.module.create_object_reference(this.id, node));
      return Number(new DataView(reference.buffer).getBigUint64(0, true));
    });
  }

  /** The same of a list of strings that `VariableStrings` reads without the library; null for everything else. */
  async addressOfStrings(dataset: string): Promise<number | null> {
    if (this.kindOf(dataset) !== 'dataset') return null;
    const { type, vlen, shape } = this.metadataOf(dataset);
    const isList = type === this.module.H5T_class_t.H5T_STRING.value && vlen && shape?.length === 1;
    if (!isList || !this.filtersOf(dataset).every((id) => DECODED_FILTERS.has(id))) return null;
    try {
      await this.strings(dataset);
      return this.addressOf(dataset);
    } catch (error) {
      if (error instanceof UnsupportedDataError) return null;
      throw error;
    }
  }

  /** Path of the node that an object reference stored in an attribute points to, null when there is none. */
  referencedNode(node: string, attribute: string): string | null {
    const value = this.attribute(node, attribute);
    if (value?.kind !== 'references' || value.bytes.length < 8) return null;
    return this.checked(node, () => this.module.get_referenced_name(this.id, value.bytes.slice(0, 8), true));
  }

  private read(
    metadata: Hdf5Metadata,
    fill: (pointer: bigint) => number,
    reclaim: (pointer: bigint) => unknown,
  ): Hdf5Values | null {
    if (metadata.shape === null) return null;
    if (metadata.total_size === 0) return decodeValues(this.module, metadata, new Uint8Array(0));
    const bytes = metadata.size * metadata.total_size;
    const pointer = this.allocate(bytes);
    try {
      if (fill(BigInt(pointer)) < 0) throw this.failed('some values cannot be read');
      try {
        return decodeValues(this.module, metadata, this.module.HEAPU8.slice(pointer, pointer + bytes));
      } finally {
        if (metadata.vlen) reclaim(BigInt(pointer));
      }
    } finally {
      this.module._free(pointer);
    }
  }

  /**
   * Whether these are strings that the library's plugin for their filter fails on.
   *
   * @throws UnsupportedDataError for filters that are not read at all
   */
  private isReadByUs(dataset: string): boolean {
    const filters = this.filtersOf(dataset);
    refuseForeignFilters(filters, this.path, dataset.slice(1));
    return filters.includes(LZF) && this.metadataOf(dataset).vlen;
  }

  private strings(dataset: string): Promise<VariableStrings> {
    return VariableStrings.open(this.bytes, this.addressOf(dataset), dataset.slice(1));
  }

  /** What the library's own function for it frees is as many strings as the whole dataset has. */
  private freeStrings(pointer: number, count: number): void {
    const strings = new Uint32Array(this.module.HEAPU8.buffer, pointer, count);
    for (const string of strings.slice()) this.module._free(string);
  }

  private allocate(bytes: number): number {
    const pointer = this.module._malloc(Math.max(1, bytes));
    if (pointer === 0) {
      throw new ShardexError('ResourceExhausted', `${this.path}: ${bytes} bytes do not fit into HDF5's memory`);
    }
    return pointer;
  }

  /**
   * Whatever the library throws or complains about means that the file is not as it should be. It is silent about names
   * that do not exist, and many of its functions return something even when they failed.
   */
  private checked<T>(node: string, action: () => T): T {
    takeDiagnostics();
    takeRefusedFile();
    const name = node === '/' ? 'its list of contents' : node.slice(1);
    let result: T;
    try {
      result = readingAlone(this.opened, action);
    } catch (error) {
      this.refuseOtherFile(name);
      if (error instanceof ShardexError) throw error;
      throw this.failed(`${name} cannot be read`, error);
    }
    this.refuseOtherFile(name);
    if (hasDiagnostics()) throw this.failed(`${name} cannot be read`);
    return result;
  }

  private refuseOtherFile(name: string): void {
    const other = takeRefusedFile();
    if (other === null) return;
    throw new UnsupportedDataError(`${this.path}: ${name} lies in another file, ${other}`, {
      hint: 'read and write the file once with anndata',
      details: { path: this.path },
    });
  }

  /** Why a remote read failed, where that is the reason; otherwise the file is damaged. */
  private failed(what: string, cause?: unknown): ShardexError {
    return this.remote?.takeFailure() ?? damaged(this.path, what, cause);
  }
}

function damaged(path: string, what: string, cause?: unknown): CorruptDataError {
  const reason = takeDiagnostics();
  return new CorruptDataError(`${path} is damaged: ${what}`, {
    hint: 'copy the file again, or write it again with anndata',
    details: { path, reason },
    cause,
  });
}
