import { describe, expect, it } from 'vitest';
import { PriorVarianceSearch, estimatePriorScale, priorScaleOf } from './apeglm-prior.js';
import { Sfc32 } from './simulation-random.js';

const random = new Sfc32(5, 1, 1);

/** Estimates x = β + d·noise with β ~ N(0, variance) and standard errors from 0.05 to 1; natural log. */
const simulate = (n: number, variance: number): { x: Float64Array; d: Float64Array } => {
  const d = Float64Array.from({ length: n }, () => 0.05 * 20 ** random.uniform());
  const x = d.map((sd) => Math.sqrt(variance) * random.normal() + sd * random.normal());
  return { x, d };
};

const search = (
  pairs: readonly { x: ArrayLike<number>; d: ArrayLike<number> }[],
  points?: number,
): [number, number] => {
  const made = new PriorVarianceSearch(points);
  let passes = 0;
  while (made.variance === null) {
    for (const { x, d } of pairs) made.add(x, d);
    made.endPass();
    passes++;
  }
  return [made.variance, passes];
};

const toLog2 = (values: Float64Array): Float64Array => values.map((value) => value / Math.LN2);

describe('the scale of the shrinkage prior', () => {
  it.each([0.01, 0.2, 3])('recovers a true variance of %d', (variance) => {
    const { x, d } = simulate(20_000, variance);
    expect(Math.abs(search([{ x, d }])[0] / variance - 1)).toBeLessThan(0.05);
  });

  it('solves the estimating equation', () => {
    const { x, d } = simulate(500, 0.3);
    const [A] = search([{ x, d }]);
    let [upper, lower] = [0, 0];
    for (let i = 0; i < x.length; i++) {
      const weight = 1 / (A + d[i] ** 2) ** 2;
      upper += (x[i] ** 2 - d[i] ** 2) * weight;
      lower += weight;
    }
    expect(Math.abs(upper / lower / A - 1)).toBeLessThan(1e-8);
    expect(Math.abs(estimatePriorScale(toLog2(x), toLog2(d)) / Math.sqrt(A) - 1)).toBeLessThan(1e-9);
  });

  it('needs 10 passes over data that are read in parts, and 39 with one point a pass', () => {
    const { x, d } = simulate(400, 0.3);
    const parts = [0, 100, 250].map((from, i) => ({
      x: x.subarray(from, [100, 250, 400][i]),
      d: d.subarray(from, [100, 250, 400][i]),
    }));
    const [whole, passes] = search([{ x, d }]);
    expect(passes).toBeLessThanOrEqual(10);
    expect(search(parts)[0]).toBe(whole);
    const [single, many] = search([{ x, d }], 1);
    expect(Math.abs(single / whole - 1)).toBeLessThan(1e-9);
    expect(many).toBeLessThanOrEqual(39);
  });

  it('is the floor of 0.001 where the fold changes vary less than their errors say', () => {
    const { d } = simulate(200, 1);
    expect(search([{ x: d.map((value) => 0.5 * value), d }])[0]).toBe(1e-6);
    expect(
      estimatePriorScale(
        d.map((value) => 0.5 * value),
        d,
      ),
    ).toBe(0.001);
  });

  it('is at most 1, and 1 without any gene to learn from', () => {
    const { d } = simulate(50, 1);
    expect(search([{ x: d.map(() => 60), d }])[0]).toBe(400);
    expect(priorScaleOf(400)).toBe(1);
    expect(estimatePriorScale([], [])).toBe(1);
    expect(estimatePriorScale([NaN, 1, 2], [1, NaN, 0])).toBe(1);
  });

  it('leaves out genes without an estimate', () => {
    const { x, d } = simulate(300, 0.4);
    const withGaps = [Float64Array.of(NaN, ...x, 1, 1), Float64Array.of(1, ...d, NaN, 0)];
    expect(estimatePriorScale(withGaps[0], withGaps[1])).toBe(estimatePriorScale(x, d));
  });
});
