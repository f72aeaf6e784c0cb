import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { CancelledError, InvalidInputError, toShardexError } from '@shardex/shared/errors';
import { H5adFileWriter, type H5adSkeleton } from '@shardex/shared/h5ad';
import { isS3Uri, objectExists, openStore, splitObjectUri } from '@shardex/shared/storage';
import { createSimulationModel, type SimulationModel, type SimulationParameters } from '@shardex/shared/stats';
import type { SimulateOptions } from './cli-context.js';
import { simulateBlocks, type SimulateBlocksOptions } from './simulate-blocks.js';

export const SIMULATED_CONTROL_LABEL = 'non-targeting';
export const DEFAULT_SIMULATION = { controlFraction: 0.08, depth: 8000, batches: 4, seed: 1 } as const;

/** 512 KiB a chunk and dataset: large enough for speed, small enough to read single cells. */
const CHUNK_ELEMENTS = 131_072;
/** Counts and sorted column indices gain little from higher levels, which cost three times as much. */
const GZIP_LEVEL = 1;
/** Truth is written in blocks of so many values. */
const TRUTH_BLOCK_VALUES = 1 << 21;
/** Beyond it the counts are no longer those of single cells, and exact inversion becomes slow. */
const MAX_DEPTH = 1_000_000;
const MAX_GENES = 1_000_000;

/** What only callers within the product set. */
export interface SimulateSettings extends Partial<SimulateBlocksOptions> {
  /** Replace a file that is already there. */
  readonly force?: boolean;
}

export interface SimulationSummary {
  readonly cells: number;
  readonly genes: number;
  readonly nonzeros: number;
}

/**
 * Writes a screen of negative binomial counts with known truth as an h5ad file: float32 counts as CSR, the truth in
 * `obs/true_size_factor`, `var/true_mean`, `var/true_dispersion` and `varm/true_lfc` (natural logarithm, genes ×
 * perturbations, named in `uns/true_lfc_perturbations`).
 *
 * Equal options give equal bytes, whatever the number of threads. Memory: about 200 bytes a cell for names and labels,
 * plus a few blocks of counts. For an output on S3 the file is written to the system's temporary folder and then uploaded.
 *
 * @param onProgress - called with the share of cells written, 0 to 1
 * @throws InvalidInputError for options out of range, an output that exists, or a place that cannot be written
 * @throws CancelledError when `signal` fires; nothing is left behind
 * @see createSimulationModel for the model
 */
export async function simulate(
  options: SimulateOptions,
  onProgress: (fraction: number) => void,
  signal?: AbortSignal,
  settings: SimulateSettings = {},
): Promise<SimulationSummary> {
  const parameters = checkedParameters(options);
  const { output } = options;
  if (settings.force !== true && (await objectExists(output))) {
    throw new InvalidInputError(`${output} already exists`, { hint: 'choose another name or pass --force' });
  }
  if (!isS3Uri(output)) return writeScreen(output, parameters, onProgress, signal, settings);
  const { folder, name } = splitObjectUri(output);
  const local = await mkdtemp(join(tmpdir(), 'shardex-simulate-'));
  try {
    const summary = await writeScreen(join(local, name), parameters, onProgress, signal, settings);
    await openStore(folder).upload(name, join(local, name));
    return summary;
  } finally {
    await rm(local, { recursive: true, force: true });
  }
}

async function writeScreen(
  path: string,
  parameters: SimulationParameters,
  onProgress: (fraction: number) => void,
  signal: AbortSignal | undefined,
  settings: SimulateSettings,
): Promise<SimulationSummary> {
  const model = createSimulationModel(parameters);
  const writer = await H5adFileWriter.create(path, skeletonOf(model));
  try {
    await writeTruth(writer, model);
    const matrix = writer.csrAppender();
    const threads = settings.threads ?? availableParallelism();
    for await (const { indices, values, rowNnz } of simulateBlocks(parameters, { ...settings, threads })) {
      if (signal?.aborted === true) throw new CancelledError('the simulation was cancelled');
      await matrix.append(indices, values, rowNnz);
      onProgress(matrix.nRows / parameters.nCells);
    }
    await writer.close();
    return { cells: parameters.nCells, genes: parameters.nGenes, nonzeros: matrix.nnz };
  } catch (error) {
    await writer.abort();
    throw toShardexError(error, `simulating ${path}`);
  }
}

function checkedParameters(options: SimulateOptions): SimulationParameters {
  const { cells, genes, perturbations, controlFraction, depth, batches, seed } = options;
  requireInteger('--cells', cells, 1, 2 ** 31 - 1);
  requireInteger('--genes', genes, 1, MAX_GENES);
  requireInteger('--perturbations', perturbations, 1, 2 ** 31 - 2);
  requireInteger('--batches', batches, 1, cells);
  requireInteger('--seed', seed, 0, 2 ** 32 - 1);
  if (!(controlFraction > 0 && controlFraction < 1)) {
    throw new InvalidInputError(`--control-fraction is ${controlFraction}`, { hint: 'give a number between 0 and 1' });
  }
  if (!(depth > 0 && depth <= MAX_DEPTH)) {
    throw new InvalidInputError(`--depth is ${depth}`, { hint: `give a positive number up to ${MAX_DEPTH}` });
  }
  const treated = cells - Math.max(1, Math.floor(cells * controlFraction));
  if (treated < perturbations) {
    throw new InvalidInputError(
      `${cells} cells leave ${treated} for ${perturbations} perturbations after the control has its share`,
      { hint: 'raise --cells, lower --perturbations or lower --control-fraction' },
    );
  }
  return {
    nCells: cells,
    nGenes: genes,
    nPerturbations: perturbations,
    controlFraction,
    depth,
    nBatches: batches,
    seed,
  };
}

function requireInteger(flag: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new InvalidInputError(`${flag} is ${value}`, { hint: `give a whole number from ${least} to ${most}` });
}

function skeletonOf(model: SimulationModel): H5adSkeleton {
  const { parameters, perturbationNames } = model;
  return {
    obs: {
      index: Array.from({ length: parameters.nCells }, (_, cell) => `cell${cell}`),
      columns: {
        perturbation: {
          kind: 'categorical',
          categories: [SIMULATED_CONTROL_LABEL, ...perturbationNames],
          codes: model.cellPerturbation,
        },
        batch: {
          kind: 'categorical',
          categories: Array.from({ length: parameters.nBatches }, (_, batch) => `b${batch}`),
          codes: model.cellBatch,
        },
        true_size_factor: { kind: 'numeric', values: model.sizeFactor },
      },
    },
    var: {
      index: model.geneNames,
      columns: {
        true_mean: { kind: 'numeric', values: model.geneMean },
        true_dispersion: { kind: 'numeric', values: model.dispersion },
      },
    },
    uns: {
      true_lfc_perturbations: perturbationNames,
      simulation: {
        control_fraction: parameters.controlFraction,
        depth: parameters.depth,
        seed: BigInt(parameters.seed),
      },
    },
    varm: { true_lfc: { columns: parameters.nPerturbations, dtype: 'f32' } },
    csr: { chunkElements: CHUNK_ELEMENTS, gzipLevel: GZIP_LEVEL },
  };
}

/** Spreads the sparse effects into the dense genes × perturbations table, some genes at a time. */
async function writeTruth(writer: H5adFileWriter, model: SimulationModel): Promise<void> {
  const { effectOffsets, effectGenes, effectLogFoldChanges, parameters } = model;
  const { nGenes, nPerturbations } = parameters;
  const blockGenes = Math.max(1, Math.floor(TRUTH_BLOCK_VALUES / nPerturbations));
  for (let begin = 0; begin < nGenes; begin += blockGenes) {
    const end = Math.min(nGenes, begin + blockGenes);
    const block = new Float32Array((end - begin) * nPerturbations);
    for (let k = 0; k < nPerturbations; k++) {
      for (let i = effectOffsets[k]; i < effectOffsets[k + 1]; i++) {
        const gene = effectGenes[i];
        if (gene >= begin && gene < end) block[(gene - begin) * nPerturbations + k] = effectLogFoldChanges[i];
      }
    }
    await writer.writeRows('varm/true_lfc', begin, block);
  }
}
