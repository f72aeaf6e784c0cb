import { createRequire } from 'node:module';
import { dirname, join, resolve, sep } from 'node:path';
import type { ready } from 'h5wasm/node';

/** The functions of the HDF5 library compiled to WebAssembly, for the parts that need a real HDF5. */
export type H5Module = Awaited<typeof ready>;
/** What h5wasm tells of a dataset: type, shape, storage. */
export type Hdf5Metadata = ReturnType<H5Module['get_dataset_metadata']>;

const STANDARD_ERROR = 2;
/** The end of HDF5's explanation is the cause; keep no more than this. */
const MAX_DIAGNOSTIC_CHARACTERS = 4000;

/** @source emscripten's errno table (wasi): EACCES; fcntl.h as emscripten has it: O_DIRECTORY */
const ERRNO_EACCES = 2;
const OPEN_DIRECTORY = 0o200000;

let loading: Promise<H5Module> | undefined;
let diagnostics = '';

/**
 * Loads the library once per thread, with the decompression plugins in reach.
 *
 * HDF5 prints a stack of reasons for every failure, foreseen ones too. They are kept from the user's screen and handed
 * out by `takeDiagnostics` instead. (The library's own throwing handler is no way out: it leaks a descriptor per error
 * and aborts after some 1,800.)
 */
export async function loadH5wasm(): Promise<H5Module> {
  loading ??= load();
  return loading;
}

/** Resolves when no loading is under way: a thread that is ended meanwhile leaves the file open that it is just reading. */
export async function h5wasmSettled(): Promise<void> {
  await loading?.catch(() => undefined);
}

async function load(): Promise<H5Module> {
  // Imported when it is needed: most threads read matrices only and do without the library and its memory.
  const library = await import('h5wasm/node');
  const module = await library.ready;
  const plugins = join(dirname(createRequire(import.meta.url).resolve('h5wasm-plugins')), 'plugins');
  watchFileSystem(module, plugins);
  module.insert_plugin_search_path(plugins, 0);
  return module;
}

/** What HDF5 printed since the last call. */
export function takeDiagnostics(): string {
  const text = diagnostics;
  diagnostics = '';
  return text;
}

/** Whether HDF5 printed anything since then. */
export const hasDiagnostics = (): boolean => diagnostics !== '';

/** Counts the reads of a thread for whoever watches it: how many began, and whether one is under way. */
export type ReadCounter = Int32Array<SharedArrayBuffer>;

let counter: ReadCounter | null = null;

export const countReadsIn = (shared: ReadCounter): void => {
  counter = shared;
};

/** Runs one read of a file, counted. */
export function countRead<T>(read: () => T): T {
  if (counter === null) return read();
  Atomics.add(counter, 0, 1);
  Atomics.store(counter, 1, 1);
  try {
    return read();
  } finally {
    Atomics.store(counter, 1, 0);
  }
}

/** The one file that the library may open just now; null: any. */
let readAlone: string | null = null;
let refusedFile: string | null = null;

/**
 * Runs calls that read a file of anybody's. External links, external storage and virtual datasets name other files by any
 * path; the library opens none of them meanwhile, only plugins of its own.
 *
 * @param path - by which the library opens the file itself
 */
export function readingAlone<T>(path: string, read: () => T): T {
  readAlone = path;
  try {
    return read();
  } finally {
    readAlone = null;
  }
}

/** The first other file that the library would have opened since the last call; null when there was none. */
export function takeRefusedFile(): string | null {
  const file = refusedFile;
  refusedFile = null;
  return file;
}

interface WatchedFileSystem {
  readonly ErrnoError: new (errno: number) => Error;
  open(path: string, flags: number | string, mode?: number): unknown;
  read(stream: { fd: number }, bytes: Uint8Array, offset: number, length: number, position?: number): number;
  write(stream: { fd: number }, bytes: Uint8Array, offset: number, length: number, position?: number): number;
}

function watchFileSystem(module: H5Module, plugins: string): void {
  const fileSystem = module.FS as unknown as WatchedFileSystem;
  const open = fileSystem.open.bind(fileSystem);
  fileSystem.open = (path, flags, mode) => {
    // Folders are listed in search of plugins.
    const isFolder = typeof flags === 'number' && (flags & OPEN_DIRECTORY) !== 0;
    const isPlugin = resolve(path).startsWith(plugins + sep);
    if (readAlone !== null && !isFolder && !isPlugin && resolve(path) !== resolve(readAlone)) {
      refusedFile ??= path;
      throw new fileSystem.ErrnoError(ERRNO_EACCES);
    }
    return open(path, flags, mode);
  };
  const read = fileSystem.read.bind(fileSystem);
  fileSystem.read = (...call) => countRead(() => read(...call));
  const write = fileSystem.write.bind(fileSystem);
  fileSystem.write = (stream, bytes, offset, length, position) => {
    if (stream.fd !== STANDARD_ERROR) return write(stream, bytes, offset, length, position);
    const text = Buffer.from(bytes.buffer, bytes.byteOffset + offset, length).toString('utf8');
    diagnostics = (diagnostics + text).slice(-MAX_DIAGNOSTIC_CHARACTERS);
    return length;
  };
}
