import { toShardexError, type ShardexError } from '../errors/index.js';
import { countRead, type H5Module } from './h5wasm-module.js';
import { PageCache, type ReadNow } from './page-cache.js';

/** A remote object that looks like a read-only file to the HDF5 library. */
export interface RemoteFile {
  /** By which the library opens it. */
  readonly path: string;
  /** What the last failed read failed with: the library itself only says that it could not read. */
  takeFailure(): ShardexError | null;
  /** The library must have closed it. */
  unmount(): void;
}

/** What stands behind a path. */
interface Device {
  readonly sizeBytes: number;
  readonly inode: number;
  readonly pages: PageCache;
  failure: ShardexError | null;
}

interface Stream {
  position: number;
  readonly device?: Device;
}

/** @source emscripten's errno table (wasi): EIO, EINVAL, EROFS */
const ERRNO = { EIO: 29, EINVAL: 28, EROFS: 69 } as const;
const READ_ONLY_FILE = 0o100444;
const ACCESS_MODE = 3;
const SEEK_CURRENT = 1;
const SEEK_END = 2;
/** No real file of this process has such a number. */
const FIRST_INODE = 1e9;

/** The part of emscripten's file system that the library calls; h5wasm hands it all on to Node's. */
interface FileSystem {
  readonly ErrnoError: new (errno: number) => Error;
  open(path: string, flags: number, mode?: number): Stream;
  read(stream: Stream, bytes: Uint8Array, offset: number, length: number, position?: number): number;
  llseek(stream: Stream, offset: number, whence: number): number;
  fstat(fd: number): unknown;
  stat(path: string, ...rest: unknown[]): unknown;
  createStream(stream: unknown): Stream;
  getStreamChecked(fd: number): Stream;
}

const devices = new Map<string, Device>();
const patched = new WeakSet<H5Module>();
let lastInode = FIRST_INODE;

/**
 * Makes a remote object readable by the library under a made-up path. Pages are fetched when they are touched; the object is
 * never read whole.
 *
 * @param readNow - reads a range while the library waits
 */
export function mountRemoteFile(module: H5Module, uri: string, sizeBytes: number, readNow: ReadNow): RemoteFile {
  if (!patched.has(module)) {
    patchFileSystem(module.FS as unknown as FileSystem);
    patched.add(module);
  }
  const inode = ++lastInode;
  const path = `/shardex-remote/${inode}`;
  const device: Device = { sizeBytes, inode, pages: new PageCache(sizeBytes, readNow), failure: null };
  devices.set(path, device);
  return {
    path,
    takeFailure() {
      const { failure } = device;
      device.failure = null;
      return failure === null ? null : toShardexError(failure, `reading ${uri}`);
    },
    unmount: () => void devices.delete(path),
  };
}

/** Leads the calls that concern a mounted path, or a stream of one, to its device, and all others to where they went before. */
function patchFileSystem(fileSystem: FileSystem): void {
  const open = fileSystem.open.bind(fileSystem);
  const read = fileSystem.read.bind(fileSystem);
  const llseek = fileSystem.llseek.bind(fileSystem);
  const fstat = fileSystem.fstat.bind(fileSystem);
  const stat = fileSystem.stat.bind(fileSystem);
  const fail = (errno: number): never => {
    throw new fileSystem.ErrnoError(errno);
  };
  fileSystem.open = (path, flags, mode) => {
    const device = devices.get(path);
    if (device === undefined) return open(path, flags, mode);
    if ((flags & ACCESS_MODE) !== 0) fail(ERRNO.EROFS);
    // Closing is left to where it was: it closes no file of Node's below number 3.
    const node = { id: device.inode, mode: READ_ONLY_FILE, node_ops: {}, path };
    return fileSystem.createStream({ nfd: -1, position: 0, path, flags, seekable: true, node, device });
  };
  fileSystem.read = (stream, bytes, offset, length, position) => {
    const { device } = stream;
    if (device === undefined) return read(stream, bytes, offset, length, position);
    const at = Number(position ?? stream.position);
    const count = Math.max(0, Math.min(length, device.sizeBytes - at));
    try {
      countRead(() => device.pages.readInto(at, bytes.subarray(offset, offset + count)));
    } catch (error) {
      device.failure = toShardexError(error, 'reading');
      fail(ERRNO.EIO);
    }
    if (position === undefined) stream.position += count;
    return count;
  };
  fileSystem.llseek = (stream, offset, whence) => {
    const { device } = stream;
    if (device === undefined) return llseek(stream, offset, whence);
    const from = whence === SEEK_CURRENT ? stream.position : whence === SEEK_END ? device.sizeBytes : 0;
    const position = from + Number(offset);
    if (position < 0) fail(ERRNO.EINVAL);
    stream.position = position;
    return position;
  };
  fileSystem.fstat = (fd) => {
    const { device } = fileSystem.getStreamChecked(fd);
    return device === undefined ? fstat(fd) : statusOf(device);
  };
  fileSystem.stat = (path, ...rest) => {
    const device = devices.get(path);
    return device === undefined ? stat(path, ...rest) : statusOf(device);
  };
}

const statusOf = ({ sizeBytes, inode }: Device): Record<string, unknown> => ({
  dev: 1,
  ino: inode,
  mode: READ_ONLY_FILE,
  nlink: 1,
  uid: 0,
  gid: 0,
  rdev: 0,
  size: sizeBytes,
  blksize: 4096,
  blocks: Math.ceil(sizeBytes / 512),
  atime: new Date(0),
  mtime: new Date(0),
  ctime: new Date(0),
  atimeMs: 0,
  mtimeMs: 0,
  ctimeMs: 0,
});
