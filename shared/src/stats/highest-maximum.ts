/** The maximiser is known to this. */
const TOLERANCE = 1e-9;
const ITERATION_LIMIT = 100;
/** Three-point Gauss–Legendre nodes on [-1, 1] and their weights. */
const QUADRATURE = [
  [-Math.sqrt(0.6), 5 / 9],
  [0, 8 / 9],
  [Math.sqrt(0.6), 5 / 9],
] as const;

/** A function of one variable, known by its slope at some points and, near any place, between them. */
export interface SlopeProfile {
  /** Ascending; the first and the last bound the search. */
  readonly points: ArrayLike<number>;
  /** The slope at each point. */
  readonly slopes: ArrayLike<number>;
  /** The slope, to be asked near `centre`. */
  readonly near: (centre: number) => (x: number) => number;
}

/**
 * The x between the bounds where a function is highest.
 *
 * Every fall of the slope through zero between two points brackets a local maximum; a function that falls from, or rises to,
 * a bound has one there. Of several, the integral of the slope tells the highest.
 */
export function highestMaximum(profile: SlopeProfile): number {
  const { points, slopes } = profile;
  const last = points.length - 1;
  const maxima: number[] = [];
  if (slopes[0] <= 0) maxima.push(points[0]);
  for (let a = 1; a <= last; a++) {
    if (!(slopes[a - 1] > 0 && slopes[a] <= 0)) continue;
    const slope = profile.near((points[a - 1] + points[a]) / 2);
    maxima.push(fallingRoot(slope, points[a - 1], slopes[a - 1], points[a], slopes[a]));
  }
  if (slopes[last] > 0) maxima.push(points[last]);
  let best = maxima[0];
  let rise = 0;
  for (let i = 1; i < maxima.length; i++) {
    rise += integral(profile, maxima[i - 1], maxima[i]);
    if (rise > 0) [best, rise] = [maxima[i], 0];
  }
  return best;
}

/** ∫ of the slope, piecewise between the points. */
function integral({ points, near }: SlopeProfile, from: number, to: number): number {
  const ends = [from, ...Array.from(points).filter((x) => x > from && x < to), to];
  let sum = 0;
  for (let i = 1; i < ends.length; i++) {
    const middle = (ends[i - 1] + ends[i]) / 2;
    const half = (ends[i] - ends[i - 1]) / 2;
    const slope = near(middle);
    for (const [node, weight] of QUADRATURE) sum += half * weight * slope(middle + half * node);
  }
  return sum;
}

/**
 * The root of a function with f(low) > 0 ≥ f(high), by the secant through the bracket's ends, an end that stays twice
 * counting half.
 *
 * @source Dowell & Jarratt 1971, BIT 11:168 (the Illinois method)
 */
function fallingRoot(f: (x: number) => number, low: number, atLow: number, high: number, atHigh: number): number {
  let kept = 0;
  for (let iteration = 0; iteration < ITERATION_LIMIT && high - low > TOLERANCE; iteration++) {
    const x = (low * atHigh - high * atLow) / (atHigh - atLow);
    const value = f(x);
    if (value === 0) return x;
    if (value > 0) {
      if (x - low < TOLERANCE && kept >= 0) return x;
      low = x;
      atLow = value;
      if (kept > 0) atHigh /= 2;
      kept = 1;
    } else {
      if (high - x < TOLERANCE && kept <= 0) return x;
      high = x;
      atHigh = value;
      if (kept < 0) atLow /= 2;
      kept = -1;
    }
  }
  return (low + high) / 2;
}
