import { describe, expect, it } from 'vitest';
import { Sfc32 } from './simulation-random.js';

const SAMPLES = 100_000;
const draw = (seed: number, next: (random: Sfc32) => number): number[] => {
  const random = new Sfc32(seed, 0, 0);
  return Array.from({ length: SAMPLES }, () => next(random));
};
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const variance = (values: readonly number[]): number => {
  const centre = mean(values);
  return mean(values.map((value) => (value - centre) ** 2));
};

describe('the random generator of the simulator', () => {
  it('repeats itself for equal seeds and differs in every word of the seed', () => {
    const first = (a: number, b: number, c: number): number[] => {
      const random = new Sfc32(a, b, c);
      return [random.next(), random.next(), random.next()];
    };
    expect(first(1, 2, 3)).toEqual(first(1, 2, 3));
    const others = [first(1, 2, 3), first(2, 2, 3), first(1, 3, 3), first(1, 2, 4)].map(String);
    expect(new Set(others).size).toBe(4);
  });

  it('follows the recurrence of sfc32 written with unbounded integers', () => {
    const mask = 2n ** 32n - 1n;
    let [a, b, c, counter] = [7n, 8n, 9n, 1n];
    const next = (): bigint => {
      const result = (a + b + counter) & mask;
      counter = (counter + 1n) & mask;
      a = b ^ (b >> 9n);
      b = (c + (c << 3n)) & mask;
      c = ((((c << 21n) | (c >> 11n)) & mask) + result) & mask;
      return result;
    };
    for (let round = 0; round < 15; round++) next();
    const random = new Sfc32(7, 8, 9);
    for (let i = 0; i < 200; i++) expect(BigInt(random.next() >>> 0)).toBe(next());
  });

  // Four standard errors of the mean and of the variance at fixed seeds.
  it('draws uniforms, normals and gammas with the moments they should have', () => {
    const error = 4 / Math.sqrt(SAMPLES);
    const uniforms = draw(1, (random) => random.uniform());
    expect(Math.abs(mean(uniforms) - 0.5)).toBeLessThan(error * Math.sqrt(1 / 12));
    const normals = draw(2, (random) => random.normal());
    expect(Math.abs(mean(normals))).toBeLessThan(error);
    expect(Math.abs(variance(normals) - 1)).toBeLessThan(error * Math.SQRT2);
    const gammas = draw(3, (random) => random.gamma(6));
    expect(Math.abs(mean(gammas) - 6)).toBeLessThan(error * Math.sqrt(6));
    // Var of the squared deviation of a gamma: 2k² + 6k.
    expect(Math.abs(variance(gammas) - 6)).toBeLessThan(error * Math.sqrt(2 * 36 + 36));
  });

  it('samples without replacement', () => {
    const values = Int32Array.from({ length: 50 }, (_, i) => i);
    new Sfc32(1, 1, 1).sampleToFront(values, 20);
    expect(new Set(values).size).toBe(50);
    expect([...values.subarray(0, 20)]).not.toEqual(Array.from({ length: 20 }, (_, i) => i));
  });
});
