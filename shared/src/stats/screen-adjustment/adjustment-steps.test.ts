import { describe, expect, it } from 'vitest';
import { AdjustmentSteps } from './adjustment-steps.js';
import { MemoryOverflow } from './memory-overflow.reference.js';
import { binOf, floorOf, N_BINS, placeInBin, wordsOf } from './p-value-bins.js';

const BIN = binOf(wordsOf(Float64Array.of(0.25))[1]);
const [FLOOR, CEILING] = [floorOf(BIN), floorOf(BIN + 1)];
/** So many that every p-value of the bin is a step: ranks hardly differ in it. */
const TOTAL = 4e9;

/** Steps in one bin: some thousand even ones, or uneven ones with a gap. */
const thresholds = (isEven: boolean): Float64Array =>
  Float64Array.from({ length: 5000 }, (_, i) => {
    const place = isEven ? i / 5000 : i < 2500 ? (i / 5000) ** 1.3 : 0.9 + i / 60_000;
    return FLOOR + (CEILING - FLOOR) * place;
  });

describe('steps of the adjusted value', () => {
  for (const isEven of [true, false]) {
    for (const capacity of [10_000, 700]) {
      it(`are found where thousands share a bin, ${isEven ? 'even' : 'uneven'}, ${capacity} in memory`, () => {
        const values = thresholds(isEven);
        const steps = new AdjustmentSteps(TOTAL, capacity, new MemoryOverflow().open);
        const counts = new Uint32Array(N_BINS + 1).fill(1);
        steps.descend(values, 0, values.length, TOTAL);
        steps.seal();
        expect(steps.count).toBe(values.length + 1);
        counts.fill(steps.count, 0, BIN + 1);
        const [below, above] = [FLOOR * 0.99, CEILING * 1.01];
        const asked = Float64Array.from([...values, ...values.map((p) => p * (1 + 1e-9)), below, above, NaN]);
        const adjusted = new Float64Array(asked.length);
        steps.adjustAll(asked, adjusted, counts);
        const expected = asked.map((p) => {
          const at = values.findIndex((threshold) => threshold >= p);
          return Number.isNaN(p) ? NaN : at < 0 ? 1 : values[at] * (TOTAL / (TOTAL - (values.length - 1 - at)));
        });
        expect(adjusted).toEqual(expected);
      });
    }
  }

  it('know where in its bin a p-value is', () => {
    const place = (p: number): number => {
      const [low, high] = wordsOf(Float64Array.of(p));
      return placeInBin(low, high);
    };
    expect([FLOOR, (FLOOR + CEILING) / 2, FLOOR + 0.75 * (CEILING - FLOOR)].map(place)).toEqual([0, 0.5, 0.75]);
  });
});
