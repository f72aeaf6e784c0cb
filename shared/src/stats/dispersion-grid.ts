import { CountSlopeTable } from './count-terms.js';

/** How the grid's points are placed. */
export interface GridLayout {
  /** Bounds of α. */
  readonly low: number;
  readonly high: number;
  /** α₀: well above it points are even in log α, below it in α. */
  readonly bend: number;
  /** 0 < p < 1: how far the points are drawn from the density of Chebyshev's towards an even one. */
  readonly evenness: number;
  /** σ of the bell that makes an interpolant local, in y. */
  readonly locality: number;
  /** Number of points. */
  readonly count: number;
}

/**
 * The default layout.
 *
 * The upper bound has to hold real data: in a screen with a median of 59 counts a cell (Datlinger 2021, scifi-RNA-seq) half
 * the genes have dispersions beyond 240, by our estimate as by glmGamPoi's.
 *
 * Measured against direct maximisation on 108 genes (means 0.01 to 1000, dispersions 1e-4 to 400, 570 cells in 4 groups; the
 * rare genes' profiles are all but flat), largest error of log α, and which of 20 maxima at a bound were found there:
 *
 * | points | α > 1e-3, mean ≤ 100 | α > 1e-3, mean > 100 | α < 1e-3 | at a bound |
 * | ---: | ---: | ---: | ---: | ---: |
 * | 36 | 1.4e-5 | 1.3e-7 | 8.5e-6 | 20 |
 * | 40 | 3.4e-6 | 2.1e-8 | 4.0e-6 | 20 |
 * | **44** | 5.0e-7 | 6.7e-9 | 6.8e-7 | 20 |
 * | 48 | 6.7e-7 | 5.5e-9 | 4.3e-7 | 20 |
 *
 * With 44 points, α₀ = 3e-5 gives 9.9e-7, 1.3e-8 and 3.0e-7, p = 0.95 1.1e-6, 5.9e-9 and 1.6e-6, σ = 1.5 and 2.2 much the
 * same, and no bell at all 1e-4 and worse. Interpolating the profile itself took 64 points for 2e-7 and, where α < 1e-3, 3e-5.
 */
const LAYOUT: GridLayout = { low: 1e-8, high: 5000, bend: 1e-4, evenness: 0.98, locality: 1.8, count: 44 };

/**
 * Grid of dispersions at which the slopes dP/dx, x = log α, of profiles are summed, and the interpolation between its points.
 *
 * What is interpolated is dP/dy, y = log(α + α₀): a slope in α near α = 0, where the profile is smooth in α, and a slope in
 * log α beyond α₀, where it is smooth in log α (its singularities stand at α = −1/μ, at distance π from the real line).
 * The sign of dP/dα stays right down to α = 0, where dP/dlog α vanishes. In y, points are the images
 * y = c + h asin(p z)/asin(p) of the Chebyshev nodes z, which for functions analytic in a strip need fewer points than z itself.
 *
 * @source Hale & Trefethen 2008, SIAM J. Numer. Anal. 46:930 (the map of Kosloff and Tal-Ezer, section 3)
 */
export class DispersionGrid {
  /** Number of points A. */
  readonly count: number;
  /** log α of each point, ascending. */
  readonly logAlphas: Float64Array;
  /** Bounds of log α. */
  readonly logMin: number;
  readonly logMax: number;
  /** The bounds and, between them, the points. */
  readonly bounded: Float64Array;
  /** For the part of the likelihood that depends on single counts. */
  readonly countSlopes: CountSlopeTable;
  /** y of each point. */
  readonly ys: Float64Array;
  /** z of each point. */
  readonly nodes: Float64Array;
  /** (−1)^a sin θ_a, the weights of barycentric interpolation between Chebyshev nodes cos θ_a. */
  readonly barycentric: Float64Array;
  /** dx/dy = (α + α₀)/α at each point. */
  readonly ratios: Float64Array;
  /** σ of the bell, in y. */
  readonly locality: number;
  /** log α₀. */
  readonly logBend: number;
  /** c. */
  readonly middle: number;
  /** h/asin(p). */
  readonly scale: number;
  /** p. */
  readonly evenness: number;
  /** The bell at the points, about the places where every profile is asked for: the bounds, and the middles between points. */
  private readonly bells = new Map<number, Float64Array>();

  constructor(layout: GridLayout) {
    const { low, high, bend, evenness, locality, count } = layout;
    this.locality = locality;
    this.count = count;
    this.evenness = evenness;
    this.logMin = Math.log(low);
    this.logMax = Math.log(high);
    this.logBend = Math.log(bend);
    const [begin, end] = [this.bent(this.logMin), this.bent(this.logMax)];
    this.middle = (begin + end) / 2;
    this.scale = (end - begin) / 2 / Math.asin(evenness);
    const angles = Float64Array.from({ length: count }, (_, a) => (Math.PI * (2 * (count - 1 - a) + 1)) / (2 * count));
    this.nodes = angles.map(Math.cos);
    this.barycentric = angles.map((angle, a) => (a % 2 === 0 ? 1 : -1) * Math.sin(angle));
    this.ys = this.nodes.map((z) => this.middle + this.scale * Math.asin(evenness * z));
    this.logAlphas = this.ys.map((y) => Math.log(bend * Math.expm1(y - this.logBend)));
    this.ratios = this.logAlphas.map((x) => 1 + Math.exp(this.logBend - x));
    this.bounded = Float64Array.of(this.logMin, ...this.logAlphas, this.logMax);
    this.countSlopes = new CountSlopeTable(this.logAlphas);
    for (const [a, x] of this.bounded.entries()) {
      const centres = a === 0 || a > count ? [x] : [];
      if (a > 0) centres.push((this.bounded[a - 1] + x) / 2);
      for (const centre of centres) this.bells.set(centre, this.bellAbout(centre));
    }
  }

  /** The bell about a log α, at each point. */
  bellAbout(x: number): Float64Array {
    const known = this.bells.get(x);
    if (known !== undefined) return known;
    const centre = this.bent(x);
    return this.ys.map((y) => this.bell(y - centre));
  }

  /** exp(−d²/2σ²) at a distance d in y. */
  bell(distance: number): number {
    return Math.exp(-0.5 * (distance / this.locality) ** 2);
  }

  /** z of a y. */
  position(y: number): number {
    return Math.sin((y - this.middle) / this.scale) / this.evenness;
  }

  /** dy/dx = α/(α + α₀). */
  ratio(x: number): number {
    return 1 / (1 + Math.exp(this.logBend - x));
  }

  /** y = log(α + α₀) of x = log α. */
  bent(x: number): number {
    return this.logBend + Math.log1p(Math.exp(x - this.logBend));
  }
}

let shared: DispersionGrid | undefined;

/** The grid that every stage of a run shares, made once a thread. @param layout - only for tests that justify the default */
export function createDispersionGrid(layout: GridLayout = LAYOUT): DispersionGrid {
  if (layout !== LAYOUT) return new DispersionGrid(layout);
  shared ??= new DispersionGrid(LAYOUT);
  return shared;
}

/** Rounding every term to 2^-q, and summing, must stay below 2^61: two bits under the range of a signed 64-bit integer. */
const SUM_BITS = 61;
/** Beyond this a finer quantum gains nothing: terms are doubles. */
const MAX_EXPONENT = 50;

/**
 * The exponent q_j of each gene's quantum 2^-q for exact sums of profile slopes.
 *
 * At its maximum a group's likelihood has the slope Σ N log1p(t s)/α − Y ≤ Y log1p(t s_max), as log1p(v) ≤ v (1 +
 * log1p(v))/(1 + v) and Σ N m s/(1 + t s) = Σ S/(1 + t s) ≤ Y; it is at least −Y. Its Cox–Reid part is at most (1 + |η'|)/2
 * with |η'| ≤ √(s_max/s_min), and at most min(Y, nCells) groups have counts. Spreads of size factors up to e^12 are allowed for.
 *
 * @param totals - Σ y per gene over the whole screen
 * @param nCells - number of cells of the screen
 */
export function quantumExponents(totals: ArrayLike<number>, nCells: number): Int32Array {
  return Int32Array.from(totals, (total) => {
    const bound = total * (Math.log1p(LAYOUT.high * total) + 14) + 203 * Math.min(total, nCells) + 1;
    return Math.min(MAX_EXPONENT, SUM_BITS - Math.ceil(Math.log2(bound)));
  });
}
