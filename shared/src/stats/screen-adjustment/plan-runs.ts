import { floorOf, N_BINS } from './p-value-bins.js';

/** No run: nothing of this bin can change q. */
export const UNCHOSEN = 0;

/** Bins in which q(p) can have steps, cut into runs of which each can be sorted at a time. */
export interface RunPlan {
  /** Of each bin: the run its p-values belong to, counted from 1 and from the largest p-values down; or UNCHOSEN. */
  readonly runOf: Uint16Array;
  /** Of each run, UNCHOSEN first: its p-values. */
  readonly sizes: readonly number[];
  /** Of each run, UNCHOSEN first: its lowest bin. What lies between that of the run before and its own belongs to it or to none. */
  readonly floors: readonly number[];
}

/**
 * Chooses bins from the largest p-values down: those in which some p · (m / rank) can be below all above it. All of a bin
 * that is no more than `bound` where it ends is at least floor · (m / rank) where it begins; products and quotients
 * rounded to the nearest keep that order.
 *
 * @param bins - p-values of each bin
 * @param total - of all bins
 * @param limit - p-values of a run; one that has more is a single bin
 */
export function planRuns(bins: Uint32Array, total: number, limit: number): RunPlan {
  const runOf = new Uint16Array(N_BINS);
  const sizes = [0];
  const floors = [N_BINS];
  let run = UNCHOSEN;
  let bound = 1;
  let rank = total;
  for (let bin = N_BINS - 1; rank > 0; bin--) {
    const count = bins[bin];
    if (count === 0) continue;
    const scale = total / rank;
    if (floorOf(bin) * scale < bound) {
      if (run === UNCHOSEN || sizes[run] + count > limit) {
        run++;
        sizes.push(0);
        floors.push(bin);
      }
      runOf[bin] = run;
      sizes[run] += count;
      floors[run] = bin;
    }
    rank -= count;
    bound = Math.min(bound, floorOf(bin + 1) * scale);
  }
  return { runOf, sizes, floors };
}
