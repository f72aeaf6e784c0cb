// g(t) = Σ_k N_k [log1p(t s_k) − t s_k/(1 + t s_k)] of one group: the only logarithms a dispersion's slope needs. All genes
// of a group share it, so it is kept as polynomials on cells of t, made when a cell is first asked for.

/** Sixteen cells an octave: a cell is what exponent and four leading bits of the mantissa have in common. */
const SHIFT: u64 = 48;
/** Octaves 2^-64 … 2^48; outside, g is summed directly. */
const FIRST: u64 = (1023 - 64) << 4;
export const CELLS: usize = 112 << 4;
const TERMS: i32 = 8;
/** The terms, and 1 over the cell's centre. */
const INVERSE: usize = TERMS << 3;
export const CELL_BYTES: usize = INVERSE + 8;
/** Below this t s/(1 + t s) the difference is summed as a power series; twelve terms are exact to the last bit. */
const SERIES_BELOW: f64 = 0.03;
const SERIES_TERMS: i32 = 13;

/** log1p(x) − x/(1 + x), without cancellation: with w = x/(1 + x) it is −log(1 − w) − w = w²/2 + w³/3 + … */
function excess(x: f64): f64 {
  const w = x / (1.0 + x);
  if (w >= SERIES_BELOW) return Math.log1p(x) - w;
  let sum: f64 = 0;
  for (let n = SERIES_TERMS; n >= 2; n--) sum = sum * w + 1.0 / <f64>n;
  return sum * w * w;
}

function direct(t: f64, N: usize, s: usize, rowBytes: usize): f64 {
  let sum: f64 = 0;
  for (let at: usize = 0; at < rowBytes; at += 8) sum += load<f64>(N + at) * excess(t * load<f64>(s + at));
  return sum;
}

/**
 * Taylor coefficients in v = t/c − 1 about the centre c of a cell, |v| ≤ 1/33. With r = 1/(1 + c s), w = 1 − r:
 * log(1 + t s) = log(1 + c s) + log(1 + v w) and 1/(1 + t s) = r/(1 + v w), so coefficient n is
 * (−1)^{n+1} Σ N w^n (1/n − r). What is cut off is below 1e-12 of g's scale.
 */
function makeCell(cell: usize, centre: f64, N: usize, s: usize, rowBytes: usize): void {
  memory.fill(cell, 0, CELL_BYTES);
  store<f64>(cell, 1.0 / centre, INVERSE);
  for (let at: usize = 0; at < rowBytes; at += 8) {
    const x = centre * load<f64>(s + at);
    const r = 1.0 / (1.0 + x);
    const w = x * r;
    const count = load<f64>(N + at);
    store<f64>(cell, load<f64>(cell) + count * excess(x));
    let power = count * w;
    store<f64>(cell + 8, load<f64>(cell + 8) + power * w);
    for (let n = 2; n < TERMS; n++) {
      power *= -w;
      const target = cell + (<usize>n << 3);
      store<f64>(target, load<f64>(target) + power * (1.0 / <f64>n - r));
    }
  }
}

/** g(t). made: u8 CELLS, which cells exist, zeroed for every group; cells: f64 CELLS × 9; N, s: f64, rowBytes each. */
// @ts-ignore: decorator
@inline
export function excessAt(t: f64, made: usize, cells: usize, N: usize, s: usize, rowBytes: usize): f64 {
  const bits = reinterpret<u64>(t) >> SHIFT;
  const index = <usize>(bits - FIRST);
  if (index >= CELLS) return direct(t, N, s, rowBytes);
  // The bits of a cell's lower end, and half a cell's width more.
  const centre = reinterpret<f64>((bits << SHIFT) | (<u64>1 << (SHIFT - 1)));
  const cell = cells + index * CELL_BYTES;
  if (load<u8>(made + index) == 0) {
    makeCell(cell, centre, N, s, rowBytes);
    store<u8>(made + index, 1);
  }
  const v = (t - centre) * load<f64>(cell, INVERSE);
  const vv = v * v;
  const low = load<f64>(cell) + v * load<f64>(cell, 8) + vv * (load<f64>(cell, 16) + v * load<f64>(cell, 24));
  const high = load<f64>(cell, 32) + v * load<f64>(cell, 40) + vv * (load<f64>(cell, 48) + v * load<f64>(cell, 56));
  return low + vv * vv * high;
}
