import { expect, it } from 'vitest';
import { significanceReach } from './significance-reach.js';

it.each([
  ['none', [], 1],
  ['few', [40, 2], 40],
  ['values that lie together', [12, 9, 7, 3, 1], 12],
  ['one that stands apart, whatever the order', [7, 3600, 200, 168, 120], 336],
  ['two that stand apart', [3600, 3000, 9, 8], 18],
  ['weak ones below a strong one', [60, 0.4, 0.3], 2],
])('an axis of %s ends where the others can be told apart', (_, values, reach) => {
  expect(significanceReach(values)).toBe(reach);
});
