import { describe, expect, it } from 'vitest';
import { fitNonNegative } from './fit-costs.mjs';
import { renderScaling } from './scaling.mjs';

describe('the fit of costs', () => {
  const sizes = [
    [1, 10, 3],
    [1, 40, 20],
    [1, 160, 50],
    [1, 400, 290],
  ];

  it('finds the coefficients that made the times', () => {
    const times = sizes.map(([, x, y]) => 2 + 0.5 * x + 0.1 * y);
    const { coefficients, residuals } = fitNonNegative(sizes, times);
    [2, 0.5, 0.1].forEach((value, j) => expect(coefficients[j]).toBeCloseTo(value, 9));
    for (const residual of residuals) expect(residual).toBeCloseTo(0, 9);
  });

  it('leaves out what would be negative, and what cannot be told apart', () => {
    const falling = fitNonNegative(
      sizes,
      sizes.map(([, x]) => 100 - 0.1 * x),
    );
    for (const value of falling.coefficients) expect(value).toBeGreaterThanOrEqual(0);
    const twins = sizes.map(([one, x]) => [one, x, 2 * x]);
    const { coefficients } = fitNonNegative(
      twins,
      twins.map(([, x]) => 3 * x),
    );
    expect(coefficients[1] + 2 * coefficients[2]).toBeCloseTo(3, 9);
  });
});

describe('the page of a scaling run', () => {
  it('shows figures, fit and residuals of every stage', () => {
    const size = (cells: number) => ({
      cells,
      genes: 10,
      perturbations: cells / 10,
      nonzeros: 5 * cells,
      pairs: cells,
      inputBytes: 2 ** 30,
      outputBytes: 40 * cells,
      runs: [
        {
          wallSeconds: cells / 50,
          cpuSeconds: null,
          peakWorkerBytes: 300 * 2 ** 20,
          peakOtherBytes: 200 * 2 ** 20,
          stages: { scan: { seconds: 1 + 5e-3 * cells, tasks: 1 }, merge: { seconds: 4e-3 * cells, tasks: 0 } },
        },
      ],
    });
    const page = renderScaling([size(1000), size(2000), size(4000)]);
    expect(page).toContain('| **wall s** | 20.0 | 40.0 | 80.0 |');
    expect(page).toContain('| scan | 1.00 | 1000000 | – | – | 0 % | 0 % | 0 % |');
    expect(page).toContain('| coordinator MiB | 200 | 200 | 200 |');
  });
});
