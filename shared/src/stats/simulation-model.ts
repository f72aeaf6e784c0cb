import { Sfc32 } from './simulation-random.js';

/** What a simulated screen is drawn from. Everything about it follows from these numbers. */
export interface SimulationParameters {
  readonly nCells: number;
  readonly nGenes: number;
  /** Without the control. */
  readonly nPerturbations: number;
  /** Share of control cells, within (0, 1). */
  readonly controlFraction: number;
  /** Mean total count of an unperturbed cell with size factor 1. */
  readonly depth: number;
  readonly nBatches: number;
  /** 0 … 2^32 − 1. */
  readonly seed: number;
}

/**
 * The truth of a simulated screen.
 *
 * Cell c of perturbation k and batch b has, for gene j, a count
 *   y ~ NB(mean m, variance m + α_j m²),  m = geneMean_j · sizeFactor_c · exp(log fold change_kj + batchEffect_bj).
 */
export interface SimulationModel {
  readonly parameters: SimulationParameters;
  readonly geneNames: readonly string[];
  /** Mean count at size factor 1; sums to the depth. */
  readonly geneMean: Float64Array;
  readonly dispersion: Float64Array;
  /** Unique labels, without the control. */
  readonly perturbationNames: readonly string[];
  /** Effects of perturbation k are entries effectOffsets[k] … effectOffsets[k + 1] − 1; genes ascend. */
  readonly effectOffsets: Int32Array;
  readonly effectGenes: Int32Array;
  /** Natural logarithm of the fold change: exactly the numbers that are stored as truth. */
  readonly effectLogFoldChanges: Float32Array;
  /** nBatches × nGenes, natural logarithm. */
  readonly batchEffects: Float64Array;
  /** 0 is the control, k + 1 perturbation k. */
  readonly cellPerturbation: Int32Array;
  readonly cellBatch: Int32Array;
  /** Geometric mean 1. */
  readonly sizeFactor: Float64Array;
}

/** Independent streams of random numbers; cells have one each, see `simulateCells`. */
const STREAM = { genes: 1, effects: 2, batches: 3, labels: 4, sizeFactors: 5, cells: 6 } as const;
export const cellRandom = (seed: number, cell: number): Sfc32 => new Sfc32(seed, STREAM.cells, cell);

// The figures below resemble a Perturb-seq experiment in a cell line: most genes are barely seen, a few make up most of
// the library, and dispersion falls with the mean towards a biological floor.
const LOG_MEAN = { location: -1.6, spread: 1.9 };
const SIZE_FACTOR_SPREAD = 0.42;
const BATCH_SPREAD = 0.08;
const ABUNDANCE_SHAPE = 6;
const KNOCK_DOWN = -1.8;
const EFFECT_SPREAD = 0.6;
/** Number of changed genes, with its probability. */
const EFFECT_COUNTS = [
  { genes: 5, probability: 0.45 },
  { genes: 30, probability: 0.3 },
  { genes: 150, probability: 0.15 },
  { genes: 500, probability: 0.1 },
] as const;
/** A knock-down of a gene that is hardly expressed could not be seen. */
const MIN_TARGET_MEAN = 0.1;
/** α from 0.02: then (1 + αm)^(−1/α) stays a normal number for every mean that `simulate` admits. */
const DISPERSION = { floor: 0.08, slope: 0.35, offset: 0.05, spread: 0.35, least: 0.02, most: 8 };

/** Draws the truth. Cost O(genes · batches + effects + cells); equal parameters give equal bits. */
export function createSimulationModel(parameters: SimulationParameters): SimulationModel {
  const geneMean = drawGeneMeans(parameters);
  const targets = drawTargets(parameters, geneMean);
  return {
    parameters,
    geneNames: Array.from({ length: parameters.nGenes }, (_, gene) => geneName(gene)),
    perturbationNames: targets.names,
    ...drawEffects(parameters, targets.genes),
    batchEffects: drawBatchEffects(parameters),
    ...drawCells(parameters),
    ...geneMean,
  };
}

const geneName = (gene: number): string => `GENE${String(gene).padStart(5, '0')}`;

function drawGeneMeans({ nGenes, depth, seed }: SimulationParameters): {
  geneMean: Float64Array;
  dispersion: Float64Array;
} {
  const random = new Sfc32(seed, STREAM.genes, 0);
  const geneMean = Float64Array.from({ length: nGenes }, () =>
    Math.exp(LOG_MEAN.location + LOG_MEAN.spread * random.normal()),
  );
  const total = geneMean.reduce((sum, mean) => sum + mean, 0);
  const dispersion = new Float64Array(nGenes);
  const { floor, slope, offset, spread, least, most } = DISPERSION;
  for (let gene = 0; gene < nGenes; gene++) {
    const mean = (geneMean[gene] * depth) / total;
    geneMean[gene] = mean;
    const trend = floor + slope / Math.sqrt(mean + offset);
    dispersion[gene] = Math.min(Math.max(trend * Math.exp(spread * random.normal()), least), most);
  }
  return { geneMean, dispersion };
}

/** Each perturbation knocks down one expressed gene; once all have been used they come again, as GENE00012-2. */
function drawTargets(
  { nPerturbations, nGenes, seed }: SimulationParameters,
  { geneMean }: { geneMean: Float64Array },
): { genes: Int32Array; names: string[] } {
  const all = Int32Array.from({ length: nGenes }, (_, gene) => gene);
  const expressed = all.filter((gene) => geneMean[gene] > MIN_TARGET_MEAN);
  const usable = expressed.length > 0 ? expressed : all;
  new Sfc32(seed, STREAM.effects, 0).sampleToFront(usable, usable.length);
  const genes = Int32Array.from({ length: nPerturbations }, (_, k) => usable[k % usable.length]);
  const names = Array.from(genes, (gene, k) => {
    const round = Math.floor(k / usable.length);
    return round === 0 ? geneName(gene) : `${geneName(gene)}-${round + 1}`;
  });
  return { genes, names };
}

function drawEffects(
  { nPerturbations, nGenes, seed }: SimulationParameters,
  targets: Int32Array,
): Pick<SimulationModel, 'effectOffsets' | 'effectGenes' | 'effectLogFoldChanges'> {
  const effectOffsets = new Int32Array(nPerturbations + 1);
  const genes: number[] = [];
  const logFoldChanges: number[] = [];
  const pool = Int32Array.from({ length: nGenes }, (_, gene) => gene);
  const random = new Sfc32(seed, STREAM.effects, 1);
  for (let k = 0; k < nPerturbations; k++) {
    const count = Math.min(drawEffectCount(random), Math.floor(nGenes / 4));
    random.sampleToFront(pool, count);
    const effects = new Map<number, number>();
    for (let i = 0; i < count; i++) effects.set(pool[i], EFFECT_SPREAD * random.normal());
    effects.set(targets[k], KNOCK_DOWN);
    for (const [gene, effect] of [...effects].sort(([left], [right]) => left - right)) {
      genes.push(gene);
      logFoldChanges.push(effect);
    }
    effectOffsets[k + 1] = genes.length;
  }
  return {
    effectOffsets,
    effectGenes: Int32Array.from(genes),
    effectLogFoldChanges: Float32Array.from(logFoldChanges),
  };
}

function drawEffectCount(random: Sfc32): number {
  let left = random.uniform();
  for (const { genes, probability } of EFFECT_COUNTS) {
    left -= probability;
    if (left < 0) return genes;
  }
  return EFFECT_COUNTS[0].genes;
}

function drawBatchEffects({ nBatches, nGenes, seed }: SimulationParameters): Float64Array {
  const random = new Sfc32(seed, STREAM.batches, 0);
  return Float64Array.from({ length: nBatches * nGenes }, () => BATCH_SPREAD * random.normal());
}

function drawCells({
  nCells,
  nPerturbations,
  nBatches,
  controlFraction,
  seed,
}: SimulationParameters): Pick<SimulationModel, 'cellPerturbation' | 'cellBatch' | 'sizeFactor'> {
  const random = new Sfc32(seed, STREAM.labels, 0);
  const nControl = Math.max(1, Math.floor(nCells * controlFraction));
  const cumulative = new Float64Array(nPerturbations);
  let total = 0;
  for (let k = 0; k < nPerturbations; k++) cumulative[k] = total += random.gamma(ABUNDANCE_SHAPE);
  // Every perturbation has a cell of its own; the others are drawn by abundance (a Dirichlet with all parameters 6).
  const labels = new Int32Array(nCells);
  for (let cell = nControl; cell < nCells; cell++) {
    const k = cell - nControl;
    labels[cell] = 1 + (k < nPerturbations ? k : firstAbove(cumulative, random.uniform() * total));
  }
  random.sampleToFront(labels, nCells);
  const cellBatch = Int32Array.from({ length: nCells }, () => random.below(nBatches));
  return { cellPerturbation: labels, cellBatch, sizeFactor: drawSizeFactors(nCells, seed) };
}

function drawSizeFactors(nCells: number, seed: number): Float64Array {
  const random = new Sfc32(seed, STREAM.sizeFactors, 0);
  const logs = Float64Array.from({ length: nCells }, () => SIZE_FACTOR_SPREAD * random.normal());
  const centre = logs.reduce((sum, value) => sum + value, 0) / nCells;
  return logs.map((value) => Math.exp(value - centre));
}

/** The first k with cumulative[k] > value. */
function firstAbove(cumulative: Float64Array, value: number): number {
  let low = 0;
  let high = cumulative.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (cumulative[middle] > value) high = middle;
    else low = middle + 1;
  }
  return low;
}
