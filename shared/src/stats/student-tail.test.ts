import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { log10NormalTwoSided, normalTwoSided } from './normal-tail.js';
import { log10StudentTwoSided, studentTwoSided } from './student-tail.js';

interface Reference {
  readonly x: number;
  readonly df: number;
  readonly p: number;
  readonly log10P: number;
}

/** Made by test/reference/tails.py with mpmath at 50 digits. */
const references: Reference[] = readFileSync(
  fileURLToPath(new URL('../../../test/reference/tails.csv', import.meta.url)),
  'utf8',
)
  .trim()
  .split('\n')
  .slice(2)
  .map((line) => {
    const [x, df, p, log10P] = line.split(',');
    return { x: Number(x), df: df === 'inf' ? Infinity : Number(df), p: Number(p), log10P: Number(log10P) };
  });

const SMALLEST_NORMAL = 2.3e-308;
// exp(−700) of a correctly rounded argument is off by 700 ulp: the tolerance is what a double allows, not what is convenient.
const TOLERANCE = 1e-12;

const worst = (rows: Reference[], error: (row: Reference) => number): number => Math.max(...rows.map(error));
const relative = (value: number, expected: number): number => Math.abs(value / expected - 1);
const mixed = (value: number, expected: number): number => Math.abs(value - expected) / Math.max(1, Math.abs(expected));

describe('two-sided tails against mpmath', () => {
  const normal = references.filter((row) => row.df === Infinity);
  const student = references.filter((row) => row.df !== Infinity);
  const representable = (rows: Reference[]): Reference[] => rows.filter((row) => row.p > SMALLEST_NORMAL);

  it('holds enough references to mean something', () => {
    expect(normal.length).toBeGreaterThan(20);
    expect(student.length).toBeGreaterThan(280);
  });

  it('gives normal p-values to 1e-12 relative while they are normal numbers', () => {
    expect(worst(representable(normal), (row) => relative(normalTwoSided(row.x), row.p))).toBeLessThan(TOLERANCE);
  });

  it('gives log10 of normal p-values to 1e-12 up to |z| = 1234', () => {
    expect(worst(normal, (row) => mixed(log10NormalTwoSided(row.x), row.log10P))).toBeLessThan(TOLERANCE);
  });

  it('gives Student p-values to 1e-12 relative for df from 1 to 1e7', () => {
    expect(worst(representable(student), (row) => relative(studentTwoSided(row.x, row.df), row.p))).toBeLessThan(
      TOLERANCE,
    );
  });

  it('gives log10 of Student p-values to 1e-12 where p underflows too', () => {
    expect(worst(student, (row) => mixed(log10StudentTwoSided(row.x, row.df), row.log10P))).toBeLessThan(TOLERANCE);
  });
});

describe('two-sided tails in special cases', () => {
  it('are symmetric', () => {
    expect(normalTwoSided(-2.5)).toBe(normalTwoSided(2.5));
    expect(studentTwoSided(-2.5, 7)).toBe(studentTwoSided(2.5, 7));
    expect(log10StudentTwoSided(-50, 70)).toBe(log10StudentTwoSided(50, 70));
  });

  it('are 1 at zero and 0 at infinity', () => {
    for (const df of [1, 29, 31, 1e6, Infinity]) {
      expect(studentTwoSided(0, df)).toBe(1);
      expect(log10StudentTwoSided(0, df) + 0).toBe(0);
      expect(studentTwoSided(-Infinity, df)).toBe(0);
      expect(log10StudentTwoSided(Infinity, df)).toBe(-Infinity);
    }
  });

  it('pass NaN on and refuse degrees of freedom that are not positive', () => {
    expect(normalTwoSided(NaN)).toBeNaN();
    expect(log10NormalTwoSided(NaN)).toBeNaN();
    expect(studentTwoSided(NaN, 5)).toBeNaN();
    expect(studentTwoSided(1, NaN)).toBeNaN();
    expect(log10StudentTwoSided(1, 0)).toBeNaN();
  });

  it('stay accurate at statistics whose square overflows', () => {
    // For df = 1 the tail is 2/π · atan(1/t) → 2/(π t).
    expect(relative(studentTwoSided(1e200, 1), 2 / (Math.PI * 1e200))).toBeLessThan(1e-12);
    expect(log10StudentTwoSided(1e200, 3)).toBeCloseTo(-600 + Math.log10((12 * Math.sqrt(3)) / (3 * Math.PI)), 9);
  });

  it('join without a step where the method changes', () => {
    const below = 30 - 4e-15;
    for (const t of [0.3, 2, 5]) {
      expect(relative(studentTwoSided(t, below), studentTwoSided(t, 30))).toBeLessThan(TOLERANCE);
    }
  });
});
