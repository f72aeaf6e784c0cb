/** Random access to the bytes of one immutable object: a local file, or an S3 object by the same contract. */
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
   * @throws InvalidInputError when the object on S3 is no longer the one that was opened
   */
  readInto(offset: number, target: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

export interface CommitOptions {
  /**
   * Wait until the object would survive a loss of power; default true. Without it the object may then be gone, cut short or
   * garbage under its name: only for what is checked when it is read and can be made again.
   */
  readonly isDurable?: boolean;
  /** Makes the store's own folder where it is not there; default true. */
  readonly makesStore?: boolean;
}

/**
 * A place that holds named objects: a folder, or an S3 prefix by the same contract. Names use "/".
 *
 * A prefix is a folder or one object: "jobs/1" means "jobs/1" itself and everything below "jobs/1/", not "jobs/10".
 */
export interface ObjectStore {
  readonly uri: string;
  /** @throws InvalidInputError when there is no such object */
  open(name: string): Promise<ByteSource>;
  exists(name: string): Promise<boolean>;
  /** @throws InvalidInputError when there is no such object */
  readAll(name: string): Promise<Uint8Array>;
  /**
   * Writes the parts in order as one object that appears whole or not at all, replacing one of that name.
   *
   * @throws ResourceExhaustedError when the disk is full; nothing is left behind
   */
  commit(name: string, parts: readonly Uint8Array[], options?: CommitOptions): Promise<void>;
  /**
   * Like `commit`, but replaces nothing: of several writers of one name exactly one succeeds. For small objects.
   *
   * @returns false when there is an object of that name
   */
  commitNew(name: string, parts: readonly Uint8Array[]): Promise<boolean>;
  /** Copies a local file in as one object that appears whole or not at all. */
  upload(name: string, path: string): Promise<void>;
  /** Names below the prefix, in ascending order; empty where there is nothing. */
  list(prefix: string): Promise<string[]>;
  /** Removes every object below the prefix; absent ones are no error. */
  removeAll(prefix: string): Promise<void>;
}
