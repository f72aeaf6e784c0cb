import { describe, expect, it } from 'vitest';
import type { JobContext } from '@shardex/shared/artifacts';
import type { FitOutputs } from './fit-outputs.js';
import { fitWarnings } from './fit-warnings.js';

const context = {
  groupLabels: ['control', 'STAT1', 'IRF1', 'JAK2', 'SPI1'],
  geneNames: ['CD74', 'LYZ'],
} as unknown as JobContext;
const fits = (parts: Partial<FitOutputs>): FitOutputs =>
  ({ groups: [1, 2, 3, 4], notConverged: { count: 0, first: [] }, trends: null, ...parts }) as unknown as FitOutputs;
const trend = (trendKind: string) => ({ trendKind, trendCoefficients: [1, 1], priorVariance: 1 });

describe('what is said of fits', () => {
  it('is nothing when all went well', () => {
    expect(fitWarnings(context, fits({}))).toEqual([]);
    expect(fitWarnings(context, fits({ trends: [trend('parametric')] }))).toEqual([]);
  });

  it('names the first that did not converge', () => {
    const one = { count: 1, first: [[1, 0]] } as const;
    expect(fitWarnings(context, fits({ notConverged: one }))).toEqual([
      '1 fit did not converge (status not-converged): IRF1 CD74',
    ]);
    const first = [
      [0, 1],
      [1, 0],
      [1, 1],
      [2, 0],
    ] as const;
    expect(fitWarnings(context, fits({ notConverged: { count: 9, first } }))).toEqual([
      '9 fits did not converge (status not-converged): STAT1 LYZ, IRF1 CD74, IRF1 LYZ and others',
    ]);
  });

  it('counts the comparisons whose trend fell back', () => {
    const trends = ['mean', 'parametric', 'poisson', 'parametric'].map(trend);
    expect(fitWarnings(context, fits({ trends }))[0]).toMatch(/^in 2 of 4 comparisons .*: STAT1, JAK2$/);
  });
});
