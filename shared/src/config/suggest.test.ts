import { describe, expect, it } from 'vitest';
import { listNames, suggestName } from './suggest.js';

describe('suggestions', () => {
  it.each([
    ['wilcoxn', ['nb-glm', 'wilcoxon'], 'wilcoxon'],
    ['ntc', ['A', 'NTC'], 'NTC'],
    ['inpsect', ['inspect', 'simulate'], 'inspect'],
    ['non-targ', ['non-targeting', 'STAT1'], 'non-targeting'],
    ['zebra', ['nb-glm', 'wilcoxon'], null],
    ['x', [], null],
  ])('for %j among %j: %j', (wanted, names, expected) => {
    expect(suggestName(wanted, names)).toBe(expected);
  });

  it('lists names with an "and", and counts those beyond the limit', () => {
    expect(listNames([])).toBe('');
    expect(listNames(['a'])).toBe('"a"');
    expect(listNames(['a', 'b', 'c'])).toBe('"a", "b" and "c"');
    expect(listNames(['a', 'b', 'c'], 2)).toBe('"a", "b" and 1 more');
  });
});
