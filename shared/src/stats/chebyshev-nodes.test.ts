import { describe, expect, it } from 'vitest';
import { InvalidInputError } from '../errors/index.js';
import { NodeBasis } from '../kernels/index.js';
import { chooseNodes } from './chebyshev-nodes.js';

describe('choosing nodes', () => {
  it('takes the fewest, an even number, whose bound meets the tolerance', () => {
    for (const spread of [1, 1.5, 5, 28, 200, 2000]) {
      const nodes = chooseNodes(0.3, 0.3 * spread);
      expect(nodes.count % 2).toBe(0);
      expect(nodes.bound).toBeLessThanOrEqual(1e-9);
      const half = (nodes.logMax - nodes.logMin) / 2;
      const rho = Math.PI / half + Math.sqrt(1 + (Math.PI / half) ** 2);
      expect(nodes.count === 4 || rho ** -(nodes.count - 2) > 1e-9).toBe(true);
    }
  });

  it('says what is reached when 64 nodes are not enough', () => {
    const nodes = chooseNodes(1e-6, 1e6);
    expect(nodes.count).toBe(64);
    expect(nodes.bound).toBeGreaterThan(1e-9);
  });

  it('needs few nodes when all size factors are equal, and covers them', () => {
    const nodes = chooseNodes(1, 1);
    expect(nodes.count).toBe(4);
    expect(nodes.sizeFactors.every((s, k) => k === 0 || s > nodes.sizeFactors[k - 1])).toBe(true);
  });

  it('interpolates log(1 + t s) within the bound it promises, for any t', () => {
    for (const spread of [2, 10, 60, 400]) {
      const nodes = chooseNodes(0.2, 0.2 * spread);
      const basis = new NodeBasis(nodes);
      const weights = new Float64Array(nodes.count);
      let worst = 0;
      for (let i = 0; i <= 200; i++) {
        const s = 0.2 * spread ** (i / 200);
        basis.write(s, weights, 0);
        for (const t of [1e-6, 1e-3, 0.1, 1, 10, 1e4]) {
          const kept = weights.reduce((sum, w, k) => sum + w * Math.log1p(t * nodes.sizeFactors[k]), 0);
          const largest = Math.log1p(t * 0.2 * spread);
          worst = Math.max(worst, Math.abs(kept - Math.log1p(t * s)) / largest);
        }
      }
      // The bound leaves out a constant of the order of the function's size on the ellipse.
      expect(worst).toBeLessThan(10 * nodes.bound + 1e-14);
    }
  });

  it('refuses size factors that are not positive and finite', () => {
    for (const [low, high] of [
      [0, 1],
      [NaN, 1],
      [1, Infinity],
      [2, 1],
    ]) {
      expect(() => chooseNodes(low, high)).toThrow(InvalidInputError);
    }
  });
});
