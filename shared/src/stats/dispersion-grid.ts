import { CountLogTable } from './count-terms.js';

/** Value, first and second derivative of a function of x = log α. */
export interface Jet {
  readonly value: number;
  readonly first: number;
  readonly second: number;
}

/** One interval of log α with Chebyshev nodes of the first kind. */
interface Panel {
  readonly low: number;
  readonly high: number;
  /** Position of its first node in the grid. */
  readonly offset: number;
  readonly count: number;
  /** cosines[m·count + k] = T_m at node k. */
  readonly cosines: Float64Array;
}

/**
 * Panels of log α and their numbers of nodes.
 *
 * The upper bound has to hold real data: in a screen with a median of 59 counts a cell (Datlinger 2021, scifi-RNA-seq) half
 * the genes have dispersions beyond 240, by our estimate as by glmGamPoi's. The profile is analytic in log α up to distance
 * π from the real line; its singularities stand where α times a mean count is −1, so they are dense beside the upper
 * panel and far from the lower one, where every model is all but Poisson. Measured against direct maximisation on 108
 * genes (means 0.01 to 1000, dispersions 1e-4 to 400; largest error of log α where α > 1e-3, and below): 6 + 50 nodes
 * 7e-6 and 2e-4, 6 + 54 1.5e-6 and 1e-4, 6 + 58 2e-7 and 3e-5. Splitting at 1e-3 instead loses dispersions of 1e-4 at means
 * of 1000 altogether; three panels need as many nodes as two.
 */
const PANELS: readonly { readonly low: number; readonly high: number; readonly count: number }[] = [
  { low: 1e-8, high: 1e-4, count: 6 },
  { low: 1e-4, high: 5000, count: 58 },
];

/** Grid of dispersions on which profiles are summed, and the interpolation between its points. */
export interface DispersionGrid {
  /** Number of points A. */
  readonly count: number;
  /** log α of each point, ascending. */
  readonly logAlphas: Float64Array;
  /** Bounds of log α. */
  readonly logMin: number;
  readonly logMax: number;
  readonly panels: readonly Panel[];
  /** For the part of the likelihood that depends on single counts. */
  readonly countLogs: CountLogTable;
}

/** The grid that every stage of a run shares. @param panels - only for tests that justify the default */
export function createDispersionGrid(panels: typeof PANELS = PANELS): DispersionGrid {
  const built: Panel[] = [];
  const logAlphas: number[] = [];
  for (const { low, high, count } of panels) {
    const panel: Panel = {
      low: Math.log(low),
      high: Math.log(high),
      offset: logAlphas.length,
      count,
      cosines: new Float64Array(count * count),
    };
    for (let k = 0; k < count; k++) {
      const angle = (Math.PI * (2 * (count - 1 - k) + 1)) / (2 * count);
      for (let m = 0; m < count; m++) panel.cosines[m * count + k] = Math.cos(m * angle);
      logAlphas.push((panel.low + panel.high) / 2 + ((panel.high - panel.low) / 2) * Math.cos(angle));
    }
    built.push(panel);
  }
  const points = Float64Array.from(logAlphas);
  return {
    count: points.length,
    logAlphas: points,
    countLogs: new CountLogTable(points),
    logMin: built[0].low,
    logMax: built[built.length - 1].high,
    panels: built,
  };
}

/** A function of log α known on the grid, between its points: one Chebyshev series a panel. */
export class GridInterpolant {
  private readonly series: readonly Float64Array[];

  /** @param values - at the grid's points */
  constructor(
    private readonly grid: DispersionGrid,
    values: Float64Array,
  ) {
    this.series = grid.panels.map((panel) => coefficients(panel, values));
  }

  evaluate(logAlpha: number): Jet {
    const { panels } = this.grid;
    let index = 0;
    while (index + 1 < panels.length && logAlpha > panels[index].high) index++;
    const panel = panels[index];
    const half = (panel.high - panel.low) / 2;
    const jet = clenshaw(this.series[index], (logAlpha - (panel.low + panel.high) / 2) / half);
    return { value: jet.value, first: jet.first / half, second: jet.second / (half * half) };
  }
}

/** Coefficients c_m of Σ_m c_m T_m from values at the nodes of the first kind. */
function coefficients(panel: Panel, values: Float64Array): Float64Array {
  const { count, offset, cosines } = panel;
  const result = new Float64Array(count);
  for (let m = 0; m < count; m++) {
    let sum = 0;
    for (let k = 0; k < count; k++) sum += values[offset + k] * cosines[m * count + k];
    result[m] = ((m === 0 ? 1 : 2) * sum) / count;
  }
  return result;
}

/**
 * Σ_m c_m T_m(u) and its first two derivatives in u, by Clenshaw's recurrence b_m = c_m + 2u b_{m+1} − b_{m+2} and the
 * same recurrence differentiated.
 */
function clenshaw(c: Float64Array, u: number): Jet {
  let [b1, b2, d1, d2, e1, e2] = [0, 0, 0, 0, 0, 0];
  for (let m = c.length - 1; m >= 1; m--) {
    const b = c[m] + 2 * u * b1 - b2;
    const d = 2 * b1 + 2 * u * d1 - d2;
    const e = 4 * d1 + 2 * u * e1 - e2;
    [b2, b1, d2, d1, e2, e1] = [b1, b, d1, d, e1, e];
  }
  return { value: c[0] + u * b1 - b2, first: b1 + u * d1 - d2, second: 2 * d1 + u * e1 - e2 };
}

/** Rounding every term to 2^-q, and summing, must stay below 2^61: two bits under the range of a signed 64-bit integer. */
const SUM_BITS = 61;
/** Beyond this a finer quantum gains nothing: terms are doubles. */
const MAX_EXPONENT = 50;

/**
 * The exponent q_j of each gene's quantum 2^-q for exact sums of profile terms.
 *
 * A term is at most Y (log1p(α_max Y) + 2 + log(s_max/s_min)) + ½ log1p(α_max Y): the profile without its count part lies
 * above its value at the Poisson solution and below the Poisson likelihood shifted by how far weights can move a mean. At
 * most min(Y, nCells) groups have counts. Spreads of size factors up to e^12 are allowed for.
 *
 * @param totals - Σ y per gene over the whole screen
 * @param nCells - number of cells of the screen
 */
export function quantumExponents(totals: ArrayLike<number>, nCells: number): Int32Array {
  const alphaMax = PANELS[PANELS.length - 1].high;
  return Int32Array.from(totals, (total) => {
    const logs = Math.log1p(alphaMax * total);
    const bound = total * (logs + 14) + 0.5 * Math.min(total, nCells) * logs + 1;
    return Math.min(MAX_EXPONENT, SUM_BITS - Math.ceil(Math.log2(bound)));
  });
}
