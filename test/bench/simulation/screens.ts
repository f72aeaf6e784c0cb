/** A screen as the simulation sees it: what planner and cost model ask for. */
export interface ScreenShape {
  readonly name: string;
  readonly cells: number;
  readonly genes: number;
  readonly perturbations: number;
  /** Stored counts of a cell. */
  readonly nonzerosPerCell: number;
  /** Share of the cells that are controls. */
  readonly controlShare: number;
}

/**
 * Cells, genes and perturbations of the first two are those of the published files; counts a cell and shares of controls are
 * assumed, and so is all of X-Atlas beyond its number of cells.
 */
export const SCREENS: readonly ScreenShape[] = [
  {
    name: 'K562 genome-wide',
    cells: 1.97e6,
    genes: 8248,
    perturbations: 9866,
    nonzerosPerCell: 3000,
    controlShare: 0.038,
  },
  { name: 'Feng-ts', cells: 1.16e6, genes: 36_518, perturbations: 444, nonzerosPerCell: 3000, controlShare: 0.05 },
  { name: 'X-Atlas', cells: 25e6, genes: 38_606, perturbations: 18_900, nonzerosPerCell: 4500, controlShare: 0.02 },
];

/** Numbers in [0, 1) that depend on the seed alone. @source mulberry32, public domain, T. Ettinger 2017 */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** exp(σ z), z standard normal. */
export const logNormal = (random: () => number, sigma: number): number =>
  Math.exp(sigma * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()));

/** Perturbations differ in their numbers of cells about as much as guides in a library do. */
const GROUP_SIGMA = 0.5;

/** Nonzeros of each group, the control first. */
export function groupNonzeros(screen: ScreenShape, seed: number): Float64Array {
  const random = randomFrom(seed);
  const total = screen.cells * screen.nonzerosPerCell;
  const weights = Float64Array.from({ length: screen.perturbations }, () => logNormal(random, GROUP_SIGMA));
  const all = weights.reduce((sum, weight) => sum + weight, 0);
  const perturbed = total * (1 - screen.controlShare);
  return Float64Array.of(total * screen.controlShare, ...weights.map((weight) => (weight / all) * perturbed));
}
