/** Random access to the bytes of one immutable object: a local file now, an S3 object by the same contract. */
export interface ByteSource {
  /** Where it is, as the user would write it. */
  readonly uri: string;
  readonly sizeBytes: number;
  /** Changes when the object changes: "size-mtimeNs" for a file, the ETag for S3. */
  readonly version: string;
  /**
   * Reads exactly `target.byteLength` bytes starting at `offset` into `target`.
   *
   * @throws CorruptDataError when the object ends before that
   * @throws StorageUnavailableError when the storage failed
   */
  readInto(offset: number, target: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** A place that holds named objects: a folder now, an S3 prefix by the same contract. Names use "/". */
export interface ObjectStore {
  readonly uri: string;
  /** @throws InvalidInputError when there is no such object */
  open(name: string): Promise<ByteSource>;
  exists(name: string): Promise<boolean>;
  readAll(name: string): Promise<Uint8Array>;
  /**
   * Writes the parts in order as one object that appears whole or not at all (temporary name, fsync, rename).
   *
   * @throws ResourceExhaustedError when the disk is full; nothing is left behind
   */
  commit(name: string, parts: readonly Uint8Array[]): Promise<void>;
  list(prefix: string): Promise<string[]>;
  /** Removes every object below the prefix; absent ones are no error. */
  removeAll(prefix: string): Promise<void>;
}
