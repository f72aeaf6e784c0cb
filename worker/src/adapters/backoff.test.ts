import { expect, it } from 'vitest';
import { backoffMs } from './backoff.js';

const pauses = (random: number): number[] =>
  [0, 1, 2, 3, 4, 100].map((failures) => backoffMs(failures, { firstMs: 100, mostMs: 500, random: () => random }));

it('the pause doubles with every failure up to the most, and chance takes away up to a half', () => {
  expect(pauses(1)).toEqual([0, 100, 200, 400, 500, 500]);
  expect(pauses(0)).toEqual([0, 50, 100, 200, 250, 250]);
});
