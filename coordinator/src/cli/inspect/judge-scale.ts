import type { CsrBlock } from '@shardex/shared/matrix';
import { formatNumber } from '../render/numbers.js';

/** What the values of a matrix are, as far as a sample of its rows tells. */
export interface ScaleVerdict {
  readonly scale: 'counts' | 'log1p' | 'other' | 'empty';
  /** Why, in one clause. */
  readonly reason: string;
  readonly sampledRows: number;
  readonly sampledValues: number;
  /** Rows of the sample without any nonzero. */
  readonly emptyRows: number;
  readonly negativeValues: number;
  /** NaN and infinite ones. */
  readonly notFiniteValues: number;
  /** Largest finite value; 0 in an empty sample. */
  readonly largest: number;
}

/** Row sums that differ by less than this share are one total: float32 sums of 10,000 terms err by less. */
const CONSTANT_TOLERANCE = 2e-3;
/** A ratio this near a whole number counts as whole; float32 logarithms of values up to 1e4 keep about this much. */
const WHOLE_TOLERANCE = 5e-3;
/** Ratios above this have lost too many digits to tell. */
const LARGEST_RATIO = 50;
/** Share of rows that must agree: in a few cells even the rarest gene has more than one count. */
const AGREEING_SHARE = 0.8;
/** exp overflows no double below this, and no logarithm of a count comes near. */
const LARGEST_LOGARITHM = 50;

/** Ways in which values may have been made from counts, and how to undo them. */
const TRANSFORMS: readonly { readonly name: string; readonly undo: (value: number) => number }[] = [
  { name: 'plain', undo: (value) => value },
  { name: 'log1p', undo: Math.expm1 },
  { name: 'log2', undo: (value) => 2 ** value - 1 },
];

/** How one transform fits the rows seen so far. */
class TransformFit {
  private readonly totals: number[] = [];
  private wholeRows = 0;

  constructor(private readonly undo: (value: number) => number) {}

  add(values: readonly number[]): void {
    const undone = values.map(this.undo);
    this.totals.push(undone.reduce((sum, value) => sum + value, 0));
    const unit = Math.min(...undone);
    const ratios = undone.map((value) => value / unit).filter((ratio) => ratio < LARGEST_RATIO);
    if (ratios.every((ratio) => Math.abs(ratio - Math.round(ratio)) < WHOLE_TOLERANCE * ratio)) this.wholeRows++;
  }

  /** The total that all rows share, or null. */
  get constantTotal(): number | null {
    if (this.totals.length < 2) return null;
    const low = Math.min(...this.totals);
    const high = Math.max(...this.totals);
    return high - low <= CONSTANT_TOLERANCE * high ? (low + high) / 2 : null;
  }

  /** In most rows every value is a whole multiple of the smallest one, as scaled counts are. */
  get isMultiples(): boolean {
    return this.totals.length > 0 && this.wholeRows >= AGREEING_SHARE * this.totals.length;
  }
}

/**
 * Collects rows of a matrix and judges its scale.
 *
 * Integers are counts. Otherwise each transform is undone: if the rows then have one total, or are whole multiples of
 * their smallest value, that is how they were made. `log1p` covers log(1 + scaled counts) and nothing else.
 */
export class ScaleJudge {
  private readonly fits = TRANSFORMS.map(({ undo }) => new TransformFit(undo));
  private rows = 0;
  private emptyRows = 0;
  private values = 0;
  private fractions = 0;
  private negatives = 0;
  private notFinite = 0;
  private largest = 0;

  /** @param hasWholeRows - false when a row of the block is not a whole cell, so that its total means nothing */
  addBlock(block: CsrBlock, hasWholeRows = true): void {
    for (let row = 0; row < block.nRows; row++) {
      const values = Array.from(block.values.subarray(block.indptr[row], block.indptr[row + 1]));
      this.rows++;
      if (values.length === 0) this.emptyRows++;
      else this.addRow(values, hasWholeRows);
    }
  }

  verdict(): ScaleVerdict {
    const { scale, reason } = this.judge();
    return {
      scale,
      reason,
      sampledRows: this.rows,
      sampledValues: this.values,
      emptyRows: this.emptyRows,
      negativeValues: this.negatives,
      notFiniteValues: this.notFinite,
      largest: this.largest,
    };
  }

  private addRow(values: readonly number[], hasWholeRows: boolean): void {
    for (const value of values) {
      this.values++;
      if (!Number.isFinite(value)) this.notFinite++;
      else {
        if (value < 0) this.negatives++;
        if (!Number.isInteger(value)) this.fractions++;
        this.largest = Math.max(this.largest, value);
      }
    }
    const canUndo = hasWholeRows && values.every((value) => value > 0 && value < Number.POSITIVE_INFINITY);
    if (!canUndo || this.fractions === 0) return;
    this.fits.forEach((fit, index) => {
      // Exponentials of what cannot be logarithms say nothing.
      if (index === 0 || values.every((value) => value < LARGEST_LOGARITHM)) fit.add(values);
    });
  }

  private judge(): Pick<ScaleVerdict, 'scale' | 'reason'> {
    if (this.values === 0) return { scale: 'empty', reason: 'the sampled rows hold no nonzero value' };
    if (this.notFinite > 0)
      return { scale: 'other', reason: `${this.notFinite} of the sampled values are NaN or infinite` };
    if (this.negatives > 0)
      return { scale: 'other', reason: 'some values are negative, as after centring or regression' };
    if (this.fractions === 0) {
      return { scale: 'counts', reason: `non-negative integers, largest ${formatNumber(this.largest)}` };
    }
    const [plain, log1p, log2] = this.fits;
    if (log1p.constantTotal !== null) {
      return { scale: 'log1p', reason: `log(1 + counts scaled to ${formatNumber(log1p.constantTotal)} a cell)` };
    }
    if (plain.constantTotal !== null) {
      return {
        scale: 'other',
        reason: `counts scaled to ${formatNumber(plain.constantTotal)} a cell, without a logarithm`,
      };
    }
    if (log2.constantTotal !== null) {
      return { scale: 'other', reason: `log2(1 + counts scaled to ${formatNumber(log2.constantTotal)} a cell)` };
    }
    if (plain.isMultiples) return { scale: 'other', reason: 'counts scaled cell by cell, without a logarithm' };
    if (log1p.isMultiples)
      return {
        scale: 'log1p',
        reason: 'log(1 + counts scaled cell by cell); totals vary, so genes were probably left out',
      };
    if (log2.isMultiples) return { scale: 'other', reason: 'log2(1 + counts scaled cell by cell)' };
    return { scale: 'other', reason: `fractions of no recognised origin, largest ${formatNumber(this.largest)}` };
  }
}
