import { cellRandom, type SimulationModel } from './simulation-model.js';

/** Counts of a run of cells, as rows of a CSR matrix; genes ascend within a row. */
export interface SimulatedCells {
  readonly indices: Int32Array;
  readonly values: Float32Array;
  /** Nonzeros of each cell. */
  readonly rowNnz: Int32Array;
}

const TWO_TO_MINUS_32 = 2 ** -32;
/** Beyond this many steps a division is as good as a table. */
const RECIPROCALS = Float64Array.from({ length: 1024 }, (_, n) => 1 / n);
/** A probability so small that the remaining tail is below the resolution of the uniform number. */
const NEGLIGIBLE = 1e-20;

/**
 * Draws counts of any range of cells of a model, each from its own random stream: the result for a cell does not depend
 * on the range it was asked for in.
 *
 * Per gene one 32-bit number u decides most zeros without any function call, by Markov's inequality: with
 * v = u + (less than 2^-32), v ≥ m ≥ P(Y > 0) means zero. Otherwise the number is extended to 64 bits and
 *   P(Y = 0) = (1 + αm)^(−1/α),  P(Y = y + 1) / P(Y = y) = (1/α + y) / (y + 1) · αm / (1 + αm)
 * is inverted by sequential search from the upper tail: v < 1 − P(Y = 0) is a positive count. The search takes y steps,
 * so a cell costs about one step a gene and one a count.
 */
export class CellSimulator {
  /** geneMean · exp(batch effect), nBatches × nGenes. */
  private readonly batchMean: Float64Array;
  /** exp(log fold change) of each effect. */
  private readonly foldChange: Float64Array;
  /** 1/α. */
  private readonly shape: Float64Array;
  private readonly mean: Float64Array;

  constructor(private readonly model: SimulationModel) {
    const { geneMean, batchEffects, effectLogFoldChanges, dispersion } = model;
    const nGenes = geneMean.length;
    this.batchMean = batchEffects.map((effect, i) => geneMean[i % nGenes] * Math.exp(effect));
    this.foldChange = Float64Array.from(effectLogFoldChanges, Math.exp);
    this.shape = dispersion.map((alpha) => 1 / alpha);
    this.mean = new Float64Array(nGenes);
  }

  /** Cells cellBegin … cellEnd − 1. */
  simulate(cellBegin: number, cellEnd: number): SimulatedCells {
    const nGenes = this.mean.length;
    const rowNnz = new Int32Array(cellEnd - cellBegin);
    let indices = new Int32Array(Math.ceil(nGenes * Math.max(1, (cellEnd - cellBegin) * 0.4)));
    let values = new Float32Array(indices.length);
    let nnz = 0;
    for (let cell = cellBegin; cell < cellEnd; cell++) {
      if (indices.length - nnz < nGenes) {
        indices = grown(indices, new Int32Array(indices.length * 2 + nGenes));
        values = grown(values, new Float32Array(indices.length));
      }
      this.fillMeans(cell);
      const end = this.drawRow(cell, indices, values, nnz);
      rowNnz[cell - cellBegin] = end - nnz;
      nnz = end;
    }
    return { indices: indices.slice(0, nnz), values: values.slice(0, nnz), rowNnz };
  }

  /** The expected count of every gene in this cell; valid until the next call. */
  meansOf(cell: number): Float64Array {
    this.fillMeans(cell);
    return this.mean;
  }

  private fillMeans(cell: number): void {
    const { cellBatch, cellPerturbation, sizeFactor, effectOffsets, effectGenes } = this.model;
    const { mean, batchMean, foldChange } = this;
    const nGenes = mean.length;
    const offset = cellBatch[cell] * nGenes;
    const factor = sizeFactor[cell];
    for (let gene = 0; gene < nGenes; gene++) mean[gene] = batchMean[offset + gene] * factor;
    const k = cellPerturbation[cell] - 1;
    if (k < 0) return;
    for (let i = effectOffsets[k]; i < effectOffsets[k + 1]; i++) {
      mean[effectGenes[i]] *= foldChange[i];
    }
  }

  /** @returns the place after the row's last nonzero */
  private drawRow(cell: number, indices: Int32Array, values: Float32Array, begin: number): number {
    const { mean, shape } = this;
    const { dispersion, parameters } = this.model;
    const random = cellRandom(parameters.seed, cell);
    let at = begin;
    for (let gene = 0; gene < mean.length; gene++) {
      const m = mean[gene];
      const u = (random.next() >>> 0) * TWO_TO_MINUS_32;
      if (u >= m) continue;
      const v = u + ((random.next() >>> 0) + 0.5) * TWO_TO_MINUS_32 * TWO_TO_MINUS_32;
      const r = shape[gene];
      const odds = 1 + dispersion[gene] * m;
      const zero = Math.exp(-r * Math.log(odds));
      const left = 1 - zero - v;
      if (left <= 0) continue;
      indices[at] = gene;
      values[at] = invertPositive(left, zero, r, m, odds);
      at++;
    }
    return at;
  }
}

/**
 * The smallest y ≥ 1 with P(1 ≤ Y ≤ y) ≥ left.
 *
 * @param zero - P(Y = 0)
 * @param r - 1/α
 * @param odds - 1 + αm
 */
function invertPositive(left: number, zero: number, r: number, m: number, odds: number): number {
  const q = 1 - 1 / odds;
  const slope = q * (r - 1);
  let y = 1;
  let probability = (zero * m) / odds;
  while (left > probability) {
    if (probability < NEGLIGIBLE && y > m) break;
    left -= probability;
    y++;
    probability *= q + slope * (y < RECIPROCALS.length ? RECIPROCALS[y] : 1 / y);
  }
  return y;
}

function grown<View extends Int32Array | Float32Array>(from: View, to: View): View {
  to.set(from);
  return to;
}
