// Where the profiles of log α are highest, gene by gene, alone or with a normal prior. The twin, and the reasons for its
// steps, are GeneProfile, LocalInterpolant and highestMaximum in shared/src/stats.
//
// Near a centre y_c the slope at x = log α, with y = log(α + α₀) and z its place between the Chebyshev nodes, is
//     [Σ w_a v_a / Σ w_a] · α/(α + α₀) · exp((y − y_c)²/2σ²),   w_a = b_a/(z − z_a),   v_a = slope_a · ratio_a · bell_a

import { laneSum } from "./vector-math";

/** As in shared/src/stats/highest-maximum.ts. */
const TOLERANCE: f64 = 1e-9;
const ITERATION_LIMIT: i32 = 100;
/** Outer node of the three-point Gauss–Legendre rule, √0.6, and the weights. */
const OUTER: f64 = 0.7745966692414834;
const OUTER_WEIGHT: f64 = 5.0 / 9.0;
const MIDDLE_WEIGHT: f64 = 8.0 / 9.0;
/** As in shared/src/stats/local-interpolant.reference.ts. */
const AT_NODE: f64 = 1e-200;

// The grid. Rows have an even number of values: the last node may be one that weighs nothing.
let points: usize = 0, nodes: usize = 0, barycentric: usize = 0, ratios: usize = 0, ys: usize = 0, bells: usize = 0;
let lastPoint: usize = 0, rowBytes: usize = 0;
let middleY: f64 = 0, scale: f64 = 0, evenness: f64 = 0, logBend: f64 = 0, locality: f64 = 0;
/** Scratch, a row each: v, and the weights of the slopes in that at either bound. */
let values: usize = 0, lowWeights: usize = 0, highWeights: usize = 0;

// The gene at work.
let slopes: usize = 0;
let priorMean: f64 = 0, priorVariance: f64 = 0;
/** y_c. */
let centre: f64 = 0;
/** The best maximum so far, the latest, and how much higher than the best the profile is there. */
let best: f64 = 0, latest: f64 = 0, rise: f64 = 0;

// @ts-ignore: decorator
@inline
function point(a: usize): f64 {
  return load<f64>(points + (a << 3));
}

// @ts-ignore: decorator
@inline
function priorSlope(x: f64): f64 {
  return -(x - priorMean) / priorVariance;
}

// @ts-ignore: decorator
@inline
function bent(x: f64): f64 {
  return logBend + Math.log1p(Math.exp(x - logBend));
}

// @ts-ignore: decorator
@inline
function position(y: f64): f64 {
  return Math.sin((y - middleY) / scale) / evenness;
}

/** w of two nodes. */
// @ts-ignore: decorator
@inline
function weights(z: v128, at: usize): v128 {
  const distance = f64x2.sub(z, v128.load(nodes + at));
  const isNode = f64x2.eq(distance, f64x2.splat(0));
  return f64x2.div(v128.load(barycentric + at), v128.bitselect(f64x2.splat(AT_NODE), distance, isNode));
}

/** exp(−(y − y_c)²/2σ²) at each node. */
function bellAbout(y: f64, target: usize): void {
  for (let at: usize = 0; at < rowBytes; at += 8) {
    const d = (load<f64>(ys + at) - y) / locality;
    store<f64>(target + at, Math.exp(-0.5 * d * d));
  }
}

/** The weights of the slopes in that at x. */
function weighSlopes(x: f64, target: usize): void {
  const y = bent(x);
  const z = f64x2.splat(position(y));
  bellAbout(y, target);
  let sum = f64x2.splat(0);
  for (let at: usize = 0; at < rowBytes; at += 16) {
    const w = weights(z, at);
    sum = f64x2.add(sum, w);
    v128.store(target + at, f64x2.mul(w, f64x2.mul(v128.load(ratios + at), v128.load(target + at))));
  }
  const factor = f64x2.splat(1.0 / (1.0 + Math.exp(logBend - x)) / laneSum(sum));
  for (let at: usize = 0; at < rowBytes; at += 16) {
    v128.store(target + at, f64x2.mul(v128.load(target + at), factor));
  }
}

function slopeAtBound(boundWeights: usize): f64 {
  let sum = f64x2.splat(0);
  for (let at: usize = 0; at < rowBytes; at += 16) {
    sum = f64x2.add(sum, f64x2.mul(v128.load(slopes + at), v128.load(boundWeights + at)));
  }
  return laneSum(sum);
}

/** Sets out v for places near x. bell: the known bell about it, or 0. */
function near(x: f64, bell: usize): void {
  centre = bent(x);
  if (bell == 0) {
    bellAbout(centre, values);
    bell = values;
  }
  for (let at: usize = 0; at < rowBytes; at += 16) {
    const perY = f64x2.mul(v128.load(slopes + at), v128.load(ratios + at));
    v128.store(values + at, f64x2.mul(perY, v128.load(bell + at)));
  }
}

/** The slope of profile and prior at x, `near` which it was set out. */
function slopeAt(x: f64): f64 {
  const bends = Math.exp(x - logBend);
  const y = logBend + Math.log1p(bends);
  const z = f64x2.splat(position(y));
  let above = f64x2.splat(0), below = f64x2.splat(0);
  for (let at: usize = 0; at < rowBytes; at += 16) {
    const w = weights(z, at);
    above = f64x2.add(above, f64x2.mul(w, v128.load(values + at)));
    below = f64x2.add(below, w);
  }
  const d = (y - centre) / locality;
  const ratio = bends / (1.0 + bends);
  return (laneSum(above) / laneSum(below)) * ratio * Math.exp(0.5 * d * d) + priorSlope(x);
}

/** The root of the slope between two points (Illinois), f(low) > 0 ≥ f(high). */
function fallingRoot(low: f64, atLow: f64, high: f64, atHigh: f64): f64 {
  let kept = 0;
  for (let i = 0; i < ITERATION_LIMIT && high - low > TOLERANCE; i++) {
    const x = (low * atHigh - high * atLow) / (atHigh - atLow);
    const value = slopeAt(x);
    if (value == 0) return x;
    if (value > 0) {
      if (x - low < TOLERANCE && kept >= 0) return x;
      low = x;
      atLow = value;
      if (kept > 0) atHigh *= 0.5;
      kept = 1;
    } else {
      if (high - x < TOLERANCE && kept <= 0) return x;
      high = x;
      atHigh = value;
      if (kept < 0) atLow *= 0.5;
      kept = -1;
    }
  }
  return (low + high) * 0.5;
}

/** ∫ of the slope, piecewise between the points. */
function integral(from: f64, to: f64): f64 {
  let sum: f64 = 0;
  let low = from;
  for (let a: usize = 1; a <= lastPoint && low < to; a++) {
    if (point(a) <= low) continue;
    const high = Math.min(point(a), to);
    const middle = (low + high) * 0.5;
    const half = (high - low) * 0.5;
    const isWhole = low == point(a - 1) && high == point(a);
    near(middle, isWhole ? bells + (a - 1) * rowBytes : 0);
    sum += half * OUTER_WEIGHT * slopeAt(middle - half * OUTER);
    sum += half * MIDDLE_WEIGHT * slopeAt(middle);
    sum += half * OUTER_WEIGHT * slopeAt(middle + half * OUTER);
    low = high;
  }
  return sum;
}

/** Takes the next maximum, in ascending order. */
function offer(x: f64): void {
  if (isNaN(latest)) {
    best = x;
  } else {
    rise += integral(latest, x);
    if (rise > 0) {
      best = x;
      rise = 0;
    }
  }
  latest = x;
}

/** log α of the gene's highest maximum. */
function highestMaximum(): f64 {
  best = NaN;
  latest = NaN;
  rise = 0;
  let before = slopeAtBound(lowWeights) + priorSlope(point(0));
  if (before <= 0) offer(point(0));
  for (let a: usize = 1; a <= lastPoint; a++) {
    const group = a < lastPoint ? load<f64>(slopes + ((a - 1) << 3)) : slopeAtBound(highWeights);
    const slope = group + priorSlope(point(a));
    if (before > 0 && slope <= 0) {
      near((point(a - 1) + point(a)) * 0.5, bells + (a - 1) * rowBytes);
      offer(fallingRoot(point(a - 1), before, point(a), slope));
    }
    before = slope;
  }
  if (before > 0) offer(point(lastPoint));
  return best;
}

/**
 * logAlphas[gene] (f64) where the profile with slopes[gene · 2⌈A/2⌉ …] at the grid's points is highest; NaN for genes whose
 * total is not above 0. means: f64 nGenes, of the prior, or 0: no prior, and the variance is not looked at.
 *
 * bounded: f64 A + 2, the points and their bounds. Rows of 2⌈A/2⌉ f64: nodes, barycentric, ratios, ys, where what is beyond
 * A weighs nothing (barycentric 0); bells: A + 1 rows, about the middles between neighbours of `bounded`. scratch:
 * three rows.
 */
export function profileMaxima(
  nGenes: u32, A: u32, geneSlopes: usize, totals: usize, means: usize, variance: f64,
  bounded: usize, nodeZ: usize, nodeWeights: usize, nodeRatios: usize, nodeY: usize, middleBells: usize,
  gridMiddle: f64, gridScale: f64, gridEvenness: f64, gridLogBend: f64, gridLocality: f64,
  scratch: usize, logAlphas: usize,
): void {
  points = bounded;
  nodes = nodeZ;
  barycentric = nodeWeights;
  ratios = nodeRatios;
  ys = nodeY;
  bells = middleBells;
  lastPoint = <usize>A + 1;
  rowBytes = <usize>((A + 1) & ~1) << 3;
  middleY = gridMiddle;
  scale = gridScale;
  evenness = gridEvenness;
  logBend = gridLogBend;
  locality = gridLocality;
  values = scratch;
  lowWeights = scratch + rowBytes;
  highWeights = lowWeights + rowBytes;
  weighSlopes(point(0), lowWeights);
  weighSlopes(point(lastPoint), highWeights);
  // A prior of infinite variance has no slope.
  priorMean = 0;
  priorVariance = means == 0 ? Infinity : variance;
  for (let gene: usize = 0; gene < <usize>nGenes; gene++) {
    const at = gene << 3;
    if (!(load<f64>(totals + at) > 0)) {
      store<f64>(logAlphas + at, NaN);
      continue;
    }
    slopes = geneSlopes + gene * rowBytes;
    if (means != 0) priorMean = load<f64>(means + at);
    store<f64>(logAlphas + at, highestMaximum());
  }
}
