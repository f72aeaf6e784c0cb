import type { DispersionGrid } from './dispersion-grid.js';

/** Stands in for a distance of 0: the node's own value outweighs all others, and nothing overflows. */
const AT_NODE = 1e-200;

/**
 * A slope in x = log α known at the grid's points, near one place between them.
 *
 * A profile's slope ranges over many orders of magnitude, and an interpolant's error is as large everywhere as where the
 * function is largest. So it is the function times exp(−(y − y_c)²/2σ²) that is interpolated, by a polynomial in z
 * through all points. The plain twin of what `profileMaxima` does in shared/assembly/profile-maxima.ts.
 *
 * @source Berrut & Trefethen 2004, SIAM Review 46:501, eq. 4.2
 */
export class LocalInterpolant {
  private readonly centre: number;
  private readonly bell: Float64Array;

  /** @param x - log α about which the interpolant is to hold */
  constructor(
    private readonly grid: DispersionGrid,
    private readonly slopes: Float64Array,
    x: number,
  ) {
    this.centre = grid.bent(x);
    this.bell = grid.bellAbout(x);
  }

  /** The slope at x; exact to the grid's accuracy within about σ of the centre. */
  at(x: number): number {
    const { grid, slopes, bell } = this;
    const { nodes, barycentric, ratios } = grid;
    const y = grid.bent(x);
    const z = grid.position(y);
    let above = 0;
    let below = 0;
    for (let a = 0; a < nodes.length; a++) {
      const distance = z - nodes[a];
      const weight = barycentric[a] / (distance === 0 ? AT_NODE : distance);
      above += weight * (slopes[a] * ratios[a] * bell[a]);
      below += weight;
    }
    return ((above / below) * grid.ratio(x)) / grid.bell(y - this.centre);
  }
}
