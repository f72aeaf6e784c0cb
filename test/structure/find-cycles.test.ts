import { describe, expect, it } from 'vitest';
import { findCycles } from './find-cycles.js';

const graph = (edges: Record<string, string[]>): Map<string, string[]> => new Map(Object.entries(edges));

describe('findCycles', () => {
  it('finds none in a diamond', () => {
    expect(findCycles(graph({ a: ['b', 'c'], b: ['d'], c: ['d'], d: [] }))).toEqual([]);
  });

  it('finds a node that points to itself', () => {
    expect(findCycles(graph({ a: ['a'], b: ['a'] }))).toEqual([['a']]);
  });

  it('tells two cycles apart that a one-way edge joins', () => {
    const cycles = findCycles(graph({ a: ['b'], b: ['a', 'c'], c: ['d'], d: ['e'], e: ['c'] }));
    expect(cycles.sort()).toEqual([
      ['a', 'b'],
      ['c', 'd', 'e'],
    ]);
  });
});
