const bits = new Float64Array(1);
const highWord = new Uint32Array(bits.buffer, 4, 1);
/** 2^22 u32 entries, 16 MiB: more would leave the cache without shortening the searches. */
const MAX_BUCKETS = 2 ** 22;

/**
 * The Benjamini–Hochberg adjusted value as a step function of p,
 *   q(p) = min over p_(i) ≥ p of p_(i) · (m / i),   i = 1 … m the rank in ascending order,
 * kept as the p-values at which it changes. q is constant over long stretches of uniform p-values, so the steps are few.
 *
 * A lookup costs 10 to 50 ns: the leading bits of p choose a bucket of steps, which is then searched by halving.
 */
export class AdjustmentCurve {
  /**
   * Pairs (threshold, value), side by side because a lookup needs both: q(p) is the value of the first threshold ≥ p. The
   * last pair is (∞, 1).
   */
  private readonly steps: Float64Array;
  /** First step of each bucket, and at the end the index of the last pair. */
  private readonly bucketStarts: Uint32Array;
  private readonly lowestWord: number;
  private readonly shift: number;

  /** @param sorted - the family's p-values, ascending, without NaN; not kept */
  constructor(sorted: Float64Array) {
    const count = countSteps(sorted);
    const steps = new Float64Array(2 * (count + 1));
    fillSteps(sorted, steps);
    this.steps = steps;
    // A bucket is a range of the high word of p as a float64, which ascends with p; words below the lowest share bucket 0.
    this.lowestWord = count === 0 ? 0 : wordOf(steps[0]);
    const span = count === 0 ? 0 : wordOf(steps[2 * count - 2]) - this.lowestWord;
    let shift = 0;
    while (span >>> shift >= Math.min(4 * count + 1, MAX_BUCKETS)) shift++;
    this.shift = shift;
    this.bucketStarts = new Uint32Array((span >>> shift) + 2);
    let bucket = 0;
    for (let k = 0; k < count; k++) {
      const own = this.bucketOf(steps[2 * k]);
      while (bucket < own) this.bucketStarts[++bucket] = k;
    }
    this.bucketStarts[bucket + 1] = count;
  }

  /** q(p) for p in [0, 1]; where p is beyond the family's largest, 1. NaN gives NaN. */
  at(p: number): number {
    if (Number.isNaN(p)) return NaN;
    const { steps, bucketStarts } = this;
    const bucket = this.bucketOf(p);
    if (bucket > bucketStarts.length - 2) return 1;
    let low = bucketStarts[bucket];
    let high = bucketStarts[bucket + 1];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (steps[2 * middle] < p) low = middle + 1;
      else high = middle;
    }
    return steps[2 * low + 1];
  }

  private bucketOf(p: number): number {
    const word = wordOf(p);
    return word <= this.lowestWord ? 0 : (word - this.lowestWord) >>> this.shift;
  }
}

function wordOf(p: number): number {
  // Adding zero turns −0 into 0, whose word is the lowest.
  bits[0] = p + 0;
  return highWord[0];
}

/** Walks down from the largest p: a step is wherever p_(i) · (m / i) falls below everything above it. */
function countSteps(sorted: Float64Array): number {
  const m = sorted.length;
  let steps = 0;
  let lowest = Infinity;
  for (let i = m - 1; i >= 0; i--) {
    const q = sorted[i] * (m / (i + 1));
    if (q >= lowest) continue;
    lowest = q;
    steps++;
  }
  return steps;
}

function fillSteps(sorted: Float64Array, steps: Float64Array): void {
  const m = sorted.length;
  let at = steps.length - 2;
  steps[at] = Infinity;
  steps[at + 1] = 1;
  let lowest = Infinity;
  for (let i = m - 1; i >= 0; i--) {
    const q = sorted[i] * (m / (i + 1));
    if (q >= lowest) continue;
    lowest = q;
    at -= 2;
    steps[at] = sorted[i];
    steps[at + 1] = q;
  }
}
