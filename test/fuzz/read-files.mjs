// A thread that reads files one after the other, as a job would, and says of each how it went. A file that breaks the HDF5
// library for good, or never ends, costs the thread; whoever started it goes on with another.
import { readFile } from 'node:fs/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { ShardexError } from '@shardex/shared/errors';
import { columnLabels, openH5adMetadata, openRowSource } from '@shardex/shared/h5ad';
import { openByteSource } from '@shardex/shared/storage';
import { File, ready } from 'h5wasm/node';

/** @typedef {{ kind: 'read', sum: string } | { kind: 'refused', tag: string, sentence: string } | { kind: 'crashed', error: string }} Outcome */

/** Every value with its place, as one number: order and position count. */
const fingerprint = () => {
  let hash = 0;
  return {
    add: (/** @type {number} */ row, /** @type {number} */ column, /** @type {number} */ value) => {
      hash = (hash * 31 + row * 7919 + column * 104729 + value) % 9007199254740881;
    },
    text: () => String(hash),
  };
};

/** @param {string} path */
const readByUs = async (path) => {
  const session = openH5adMetadata(path);
  let overview, metadata;
  try {
    overview = await session.read({});
    metadata = await session.read({ matrix: 'X', obsColumns: ['perturbation'], varNames: true });
  } finally {
    await session.close();
  }
  columnLabels(metadata.columns[0]);
  const { descriptor } = metadata;
  const found = fingerprint();
  const source = await openByteSource(path);
  try {
    for await (const block of openRowSource(descriptor, source).blocks(0, descriptor.nRows, 1 << 16)) {
      for (let row = 0; row < block.nRows; row++)
        for (let i = block.indptr[row]; i < block.indptr[row + 1]; i++)
          if (Number(block.values[i]) !== 0) found.add(block.rowBegin + row, block.indices[i], Number(block.values[i]));
    }
  } finally {
    await source.close();
  }
  return `${overview.nObs} ${found.text()}`;
};

/** What the HDF5 library makes of X; null where it cannot read it. @param {string} path */
const readByLibrary = async (path) => {
  const { FS } = await ready;
  // The library's file system is the process's own, and other threads read too: every copy has a name of its own.
  const name = `${path}.copy`;
  FS.writeFile(name, await readFile(path));
  try {
    const file = new File(name, 'r');
    try {
      const x = /** @type {any} */ (file.get('X'));
      const found = fingerprint();
      if (x.type === 'Dataset') {
        const [rows, columns] = x.shape;
        const values = x.value;
        for (let at = 0; at < rows * columns; at++)
          if (values[at] !== 0) found.add(Math.floor(at / columns), at % columns, Number(values[at]));
        return found.text();
      }
      const [data, indices, indptr] = ['data', 'indices', 'indptr'].map((key) => x.get(key).value);
      const isCsr = x.attrs['encoding-type'].value === 'csr_matrix';
      const entries = [];
      for (let major = 0; major + 1 < indptr.length; major++) {
        for (let i = Number(indptr[major]); i < Number(indptr[major + 1]); i++) {
          const minor = Number(indices[i]);
          if (Number(data[i]) !== 0)
            entries.push(isCsr ? [major, minor, Number(data[i])] : [minor, major, Number(data[i])]);
        }
      }
      entries.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
      for (const [row, column, value] of entries) found.add(row, column, value);
      return found.text();
    } finally {
      file.close();
    }
  } catch {
    return null;
  } finally {
    FS.unlink(name);
  }
};

for (const path of workerData.paths) {
  /** @type {Outcome} */
  let outcome;
  try {
    outcome = { kind: 'read', sum: await readByUs(path) };
  } catch (error) {
    outcome =
      error instanceof ShardexError
        ? { kind: 'refused', tag: error.tag, sentence: error.sentence }
        : { kind: 'crashed', error: String(error?.stack ?? error) };
  }
  const library = outcome.kind === 'read' ? await readByLibrary(path) : null;
  parentPort.postMessage({ path, outcome, library });
}
