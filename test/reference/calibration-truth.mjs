// What a simulated screen is known to hold, and what a results folder says about it.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openRowSource, readH5adMetadata } from '@shardex/shared/h5ad';
import { openByteSource } from '@shardex/shared/storage';
import { File, ready } from 'h5wasm/node';

/**
 * @typedef {object} Truth
 * @property {string[]} genes
 * @property {string[]} perturbations in the order of the rows of `logFoldChange`
 * @property {Float64Array} mean mean count of each gene in a cell with size factor 1
 * @property {Float64Array} dispersion of each gene
 * @property {(perturbation: string) => Float64Array} logFoldChange natural logarithm, one entry per gene; 0 is a true null
 */

/**
 * Reads the truth that `shardex simulate` stores beside the counts. The whole file passes through memory.
 *
 * @param {string} path a file of `shardex simulate`
 * @returns {Promise<Truth>}
 */
export async function readTruth(path) {
  const { FS } = await ready;
  const name = 'truth.h5ad';
  FS.writeFile(name, await readFile(path));
  const file = new File(name, 'r');
  try {
    const valueOf = (/** @type {string} */ dataset) => {
      const found = file.get(dataset);
      if (found === null || !('value' in found))
        throw new Error(`${path} has no ${dataset}: is it a simulated screen?`);
      return /** @type {ArrayLike<any>} */ (found.value);
    };
    const index = /** @type {any} */ (file.get('var')).attrs['_index'].value;
    const genes = Array.from(valueOf(`var/${index}`), String);
    const perturbations = Array.from(valueOf('uns/true_lfc_perturbations'), String);
    const effects = valueOf('varm/true_lfc'); // genes × perturbations, row-major
    const columnOf = new Map(perturbations.map((label, column) => [label, column]));
    return {
      genes,
      perturbations,
      mean: Float64Array.from(valueOf('var/true_mean'), Number),
      dispersion: Float64Array.from(valueOf('var/true_dispersion'), Number),
      logFoldChange: (perturbation) => {
        const column = columnOf.get(perturbation);
        if (column === undefined) throw new Error(`${path} says nothing about "${perturbation}"`);
        return Float64Array.from(genes, (_, gene) => Number(effects[gene * perturbations.length + column]));
      },
    };
  } finally {
    file.close();
    FS.unlink(name);
  }
}

/**
 * @typedef {object} Results
 * @property {string[]} genes
 * @property {string[]} perturbations rows of every layer
 * @property {Map<string, Float64Array>} layers perturbations × genes, row-major; the effect is "X"
 */

/**
 * Reads layers of one result file by the product's own reader.
 *
 * @param {string} folder what `shardex de` was given as --out
 * @param {string} file without extension, as `nb_glm`
 * @param {readonly string[]} names layers, "X" among them
 * @returns {Promise<Results>}
 */
export async function readResults(folder, file, names) {
  const path = join(folder, `${file}.h5ad`);
  const { obsNames, varNames } = await readH5adMetadata(path, { obsNames: true, varNames: true });
  const [perturbations, genes] = [obsNames ?? [], varNames ?? []];
  const layers = new Map();
  const source = await openByteSource(path);
  try {
    for (const name of names) {
      const matrix = name === 'X' ? 'X' : `layers/${name}`;
      const { descriptor } = await readH5adMetadata(path, { matrix, varNames: false });
      if (descriptor === null) throw new Error(`${path} has no ${matrix}`);
      const dense = new Float64Array(perturbations.length * genes.length);
      for await (const block of openRowSource(descriptor, source).blocks(0, perturbations.length, dense.length)) {
        for (let row = 0; row < block.nRows; row++) {
          const base = (block.rowBegin + row) * genes.length;
          for (let at = block.indptr[row]; at < block.indptr[row + 1]; at++) {
            dense[base + block.indices[at]] = Number(block.values[at]);
          }
        }
      }
      layers.set(name, dense);
    }
  } finally {
    await source.close();
  }
  return { genes, perturbations, layers };
}

/**
 * Reads a numeric column of var.
 *
 * @param {string} path an h5ad file
 * @param {string} column
 * @returns {Promise<Float64Array>}
 */
export async function readGeneColumn(path, column) {
  const { FS } = await ready;
  const name = 'column.h5ad';
  FS.writeFile(name, await readFile(path));
  const file = new File(name, 'r');
  try {
    const found = file.get(`var/${column}`);
    if (found === null || !('value' in found)) throw new Error(`${path} has no var column "${column}"`);
    return Float64Array.from(/** @type {ArrayLike<any>} */ (found.value), Number);
  } finally {
    file.close();
    FS.unlink(name);
  }
}
