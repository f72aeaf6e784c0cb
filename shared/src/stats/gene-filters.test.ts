import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CRISPYX_LOW_EXPRESSION,
  SCEPTRE_MIN_NONZERO,
  geneFilterStatus,
  isLowInBothArms,
  type ArmExpression,
} from './gene-filters.js';
import { GENE_STATUS_LEGEND, GeneStatus } from './gene-status.js';

const armOf = (cells: number, nExpressing: number, mean: number, sumCounts = nExpressing): ArmExpression => ({
  cells,
  nExpressing,
  mean,
  sumCounts,
});

const LOW_PERTURBED = armOf(1000, 1, 0.004);
const LOW_CONTROL = armOf(1000, 9, 0.04);

describe('the low-expression filter', () => {
  it('drops a gene whose share and mean are low in both arms', () => {
    expect(isLowInBothArms(LOW_PERTURBED, LOW_CONTROL, CRISPYX_LOW_EXPRESSION)).toBe(true);
  });

  it.each([
    ['share of perturbed cells', armOf(1000, 2, 0.004), LOW_CONTROL],
    ['perturbed mean', armOf(1000, 1, 0.005), LOW_CONTROL],
    ['share of control cells', LOW_PERTURBED, armOf(1000, 10, 0.04)],
    ['control mean', LOW_PERTURBED, armOf(1000, 9, 0.05)],
  ])('keeps a gene whose %s is at its threshold', (_what, perturbed, control) => {
    expect(isLowInBothArms(perturbed, control, CRISPYX_LOW_EXPRESSION)).toBe(false);
  });

  it('filters nothing where an arm has no cells or a threshold is 0', () => {
    expect(isLowInBothArms(armOf(0, 0, NaN), LOW_CONTROL, CRISPYX_LOW_EXPRESSION)).toBe(false);
    expect(isLowInBothArms(LOW_PERTURBED, armOf(0, 0, NaN), CRISPYX_LOW_EXPRESSION)).toBe(false);
    const off = { ...CRISPYX_LOW_EXPRESSION, minControlShare: 0 };
    expect(isLowInBothArms(armOf(9, 0, 0), armOf(9, 0, 0), off)).toBe(false);
  });
});

describe('the filters of a gene', () => {
  it('filter nothing unless asked', () => {
    expect(geneFilterStatus(armOf(5, 0, 0), armOf(5, 0, 0), {})).toBe(GeneStatus.tested);
  });

  it('each have a status of their own', () => {
    const [perturbed, control] = [LOW_PERTURBED, LOW_CONTROL];
    const status = (filters: Parameters<typeof geneFilterStatus>[2]) => geneFilterStatus(perturbed, control, filters);
    expect(status({ minCellsExpressed: 11 })).toBe(GeneStatus.filteredLowCells);
    expect(status({ minCellsExpressed: 10 })).toBe(GeneStatus.tested);
    expect(status({ minTotalCount: 11 })).toBe(GeneStatus.filteredLowTotal);
    expect(status({ minTotalCount: 10 })).toBe(GeneStatus.tested);
    expect(status({ lowExpression: CRISPYX_LOW_EXPRESSION })).toBe(GeneStatus.filteredLowExpression);
    expect(status({ minNonzeroPerturbed: 2 })).toBe(GeneStatus.filteredFewNonzero);
    expect(status({ minNonzeroControl: 10 })).toBe(GeneStatus.filteredFewNonzero);
    expect(status({ minNonzeroPerturbed: 1, minNonzeroControl: 9 })).toBe(GeneStatus.tested);
  });

  it("keep by sceptre's rule exactly the genes with seven nonzero cells in each arm", () => {
    const filters = { minNonzeroPerturbed: SCEPTRE_MIN_NONZERO, minNonzeroControl: SCEPTRE_MIN_NONZERO };
    const nonzero = fc.integer({ min: 0, max: 14 });
    fc.assert(
      fc.property(nonzero, nonzero, (a, b) => {
        const isKept = geneFilterStatus(armOf(50, a, 1), armOf(50, b, 1), filters) === GeneStatus.tested;
        expect(isKept).toBe(a >= 7 && b >= 7);
      }),
      { seed: 71, numRuns: 200 },
    );
  });

  it('have codes after those that stored results already use, each in the legend', () => {
    expect(GeneStatus).toMatchObject({ filteredLowExpression: 8, filteredLowTotal: 9, filteredFewNonzero: 10 });
    expect(GENE_STATUS_LEGEND.map(({ name }) => name).slice(8, 11)).toEqual([
      'filtered-low-expression',
      'filtered-low-total',
      'filtered-few-nonzero',
    ]);
    expect(GENE_STATUS_LEGEND).toHaveLength(Object.keys(GeneStatus).length);
  });
});
