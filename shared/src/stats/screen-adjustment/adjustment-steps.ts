import { bytesOf, type OpenOverflow, type OverflowFile } from './overflow-file.js';
import { binOf, placeInBin, wordsOf } from './p-value-bins.js';

const STEP_BYTES = 12;
/** Among fewer steps a search by halves has nothing to save. */
const GUESSED_MIN_SPAN = 64;
/** Standard deviations of the place, at most √n/2 of n uniform values, that are searched on either side of the guess. */
const GUESS_DEVIATIONS = 1.5;

/**
 * The Benjamini–Hochberg adjusted value as a step function of p, from the largest threshold down:
 *   q(p) = t · (m / rank of t), t the least threshold ≥ p; 1 where there is none.
 *
 * At most `capacity` steps are in memory. Of more, all are on a file, `capacity` at a time, and every call of `adjustAll`
 * reads all of it.
 */
export class AdjustmentSteps {
  private readonly thresholds: Float64Array;
  private readonly ranks: Uint32Array;
  private stepCount = 0;
  /** The part in hand, and its steps. */
  private part = 0;
  private size = 0;
  /** The first, largest threshold of each part. */
  private readonly firsts: number[] = [Infinity];
  private file: OverflowFile | null = null;
  /** q at the last step; no adjusted value is above 1. */
  private lowest = 1;

  /** @param total - p-values of the family: the m of the formula */
  constructor(
    private readonly total: number,
    private readonly capacity: number,
    private readonly openOverflow: OpenOverflow,
  ) {
    this.thresholds = new Float64Array(capacity);
    this.ranks = new Uint32Array(capacity);
    this.add(Infinity, 1);
  }

  /** Number of steps, that at infinity among them. */
  get count(): number {
    return this.stepCount;
  }

  get heldBytes(): number {
    return this.thresholds.byteLength + this.ranks.byteLength;
  }

  /**
   * Walks down values[end − 1] … values[begin], which are ascending and below all that was seen: a step is wherever
   * p · (m / rank) falls below everything above it.
   *
   * @param rank - in the family, of the last of them
   */
  descend(values: Float64Array, begin: number, end: number, rank: number): void {
    const { total } = this;
    const base = rank - (end - 1);
    let lowest = this.lowest;
    for (let i = end - 1; i >= begin; i--) {
      const q = values[i] * (total / (base + i));
      if (q >= lowest) continue;
      lowest = q;
      this.add(values[i], base + i);
    }
    this.lowest = lowest;
  }

  get isOnFile(): boolean {
    return this.file !== null;
  }

  /** Ends the walk. */
  seal(): void {
    if (this.file !== null) this.store();
  }

  /**
   * out[i] = q(pValues[i]); NaN for NaN. `out` may be `pValues`.
   *
   * @param counts - counts[b] is the number of steps whose threshold is in bin b or above, that at infinity among them
   */
  adjustAll(pValues: Float64Array, out: Float64Array, counts: Uint32Array): void {
    // From the largest p down: no adjusted value is less than p, so that what was written over a p-value is not taken for one.
    for (let part = 0; part < this.firsts.length; part++) this.adjustPart(part, pValues, out, counts);
  }

  close(): void {
    this.file?.close();
    this.file = null;
  }

  private add(threshold: number, rank: number): void {
    if (this.size === this.capacity) {
      this.store();
      this.part++;
      this.firsts.push(threshold);
      this.size = 0;
    }
    this.thresholds[this.size] = threshold;
    this.ranks[this.size] = rank;
    this.size++;
    this.stepCount++;
  }

  /** Adjusts the p-values whose step is in one part. */
  private adjustPart(part: number, pValues: Float64Array, out: Float64Array, counts: Uint32Array): void {
    this.load(part);
    const { thresholds, ranks, firsts, total, capacity, size } = this;
    const begin = part * capacity;
    const most = firsts[part];
    const below = part + 1 < firsts.length ? firsts[part + 1] : -1;
    const words = wordsOf(pValues);
    for (let i = 0; i < pValues.length; i++) {
      const p = pValues[i];
      if (p > below && p <= most) {
        const bin = binOf(words[2 * i + 1]);
        let low = Math.max(counts[bin + 1] - begin, 1);
        let high = Math.min(counts[bin] - begin, size);
        const span = high - low;
        if (span > GUESSED_MIN_SPAN) {
          // Within a bin thresholds are about even: two looks beside where this one should be spare most of the others.
          const guess = low + Math.floor((1 - placeInBin(words[2 * i], words[2 * i + 1])) * span);
          const reach = Math.ceil(GUESS_DEVIATIONS * Math.sqrt(span));
          if (guess - reach > low && thresholds[guess - reach] >= p) low = guess - reach + 1;
          if (guess + reach < high && thresholds[guess + reach] < p) high = guess + reach;
        }
        while (low < high) {
          const middle = (low + high) >>> 1;
          if (thresholds[middle] >= p) low = middle + 1;
          else high = middle;
        }
        out[i] = Math.min(1, thresholds[low - 1] * (total / ranks[low - 1]));
      } else if (Number.isNaN(p)) out[i] = NaN;
    }
  }

  private load(part: number): void {
    if (part === this.part) return;
    this.part = part;
    this.size = Math.min(this.capacity, this.stepCount - part * this.capacity);
    const at = part * this.capacity * STEP_BYTES;
    this.file?.read(bytesOf(this.thresholds.subarray(0, this.size)), at);
    this.file?.read(bytesOf(this.ranks.subarray(0, this.size)), at + 8 * this.capacity);
  }

  private store(): void {
    this.file ??= this.openOverflow();
    const at = this.part * this.capacity * STEP_BYTES;
    this.file.write(bytesOf(this.thresholds.subarray(0, this.size)), at);
    this.file.write(bytesOf(this.ranks.subarray(0, this.size)), at + 8 * this.capacity);
  }
}
