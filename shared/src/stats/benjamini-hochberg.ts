import { InvariantBrokenError } from '../errors/index.js';
import { AdjustmentCurve } from './adjustment-curve.js';
import { sortUnitInterval } from './sort-unit-interval.js';

/**
 * Benjamini–Hochberg adjusted p-values of one family,
 *   q(p) = min over p_(i) ≥ p of p_(i) · (m / i),   i = 1 … m the rank in ascending order.
 *
 * NaN stays NaN and is not counted in m. Equal p-values get equal values, and the order of the input does not matter. Cost
 * about 30 ns a p-value for uniform ones. `out` may be `pValues` itself.
 *
 * @param pValues - of [0, 1], or NaN
 * @throws InvariantBrokenError for a p-value outside [0, 1]
 * @source Benjamini & Hochberg 1995; the same as statsmodels 0.15 `multipletests(method="fdr_bh")` to the last digits
 */
export function benjaminiHochberg(pValues: Float64Array, out: Float64Array): void {
  const family = new GlobalBenjaminiHochberg(pValues.length);
  family.add(pValues);
  family.adjustAll(pValues, out);
}

/**
 * The same for a family that arrives in chunks: first `add` all of it, then ask for adjusted values.
 *
 * After the first question only the steps of q(p) are kept, a small share of the p-values. Memory is 8 bytes a p-value while
 * adding (twice that for a moment if the capacity was too small), at most 16 bytes a step and 16 MiB afterwards. The result is bit for bit that of
 * `benjaminiHochberg` on the concatenation, whatever the chunks and their order.
 */
export class GlobalBenjaminiHochberg {
  private pending: Float64Array;
  private length = 0;
  private curve: AdjustmentCurve | null = null;

  /** @param capacity - how many p-values are expected; more are accepted */
  constructor(capacity: number) {
    this.pending = new Float64Array(capacity);
  }

  /** Number of p-values added, NaN not counted: the m of the formula. */
  get count(): number {
    return this.length;
  }

  /**
   * Adds a chunk of the family; NaN is left out.
   *
   * @throws InvariantBrokenError for a p-value outside [0, 1], or after the first adjusted value was asked for
   */
  add(pValues: Float64Array): void {
    if (this.curve !== null) {
      throw new InvariantBrokenError('p-values were added to a family that is already being adjusted');
    }
    this.reserve(this.length + pValues.length);
    const { pending } = this;
    let end = this.length;
    for (let i = 0; i < pValues.length; i++) {
      const p = pValues[i];
      if (p >= 0 && p <= 1) pending[end++] = p;
      else if (!Number.isNaN(p)) {
        throw new InvariantBrokenError('a p-value lies outside [0, 1]', { details: { p } });
      }
    }
    this.length = end;
  }

  /**
   * The adjusted value of a p-value of the family; NaN for NaN. For a p-value that was never added, it is the adjusted value
   * of the next larger one that was, or 1 if there is none.
   */
  adjust(p: number): number {
    return this.seal().at(p);
  }

  /** out[i] = adjust(pValues[i]); `out` may be `pValues`. Cost 10 to 50 ns a p-value. */
  adjustAll(pValues: Float64Array, out: Float64Array): void {
    const curve = this.seal();
    for (let i = 0; i < pValues.length; i++) out[i] = curve.at(pValues[i]);
  }

  private seal(): AdjustmentCurve {
    if (this.curve === null) {
      const sorted = this.pending.subarray(0, this.length);
      sortUnitInterval(sorted);
      this.curve = new AdjustmentCurve(sorted);
      this.pending = new Float64Array(0);
    }
    return this.curve;
  }

  private reserve(needed: number): void {
    if (needed <= this.pending.length) return;
    const grown = new Float64Array(Math.max(needed, Math.ceil(this.pending.length * 1.5)));
    grown.set(this.pending.subarray(0, this.length));
    this.pending = grown;
  }
}
