import { describe, expect, it } from 'vitest';
import { coresOfQuota, defaultWorkerMemoryBytes, usableCores, usableMemoryBytes } from './machine.js';

describe('the machine', () => {
  it('has at least one usable core and some memory', () => {
    expect(usableCores()).toBeGreaterThanOrEqual(1);
    expect(usableMemoryBytes()).toBeGreaterThan(2 ** 20);
  });

  it.each([
    ['max 100000', Number.POSITIVE_INFINITY],
    ['150000 100000', 1.5],
    ['-1 100000', Number.POSITIVE_INFINITY],
    [' ', Number.POSITIVE_INFINITY],
    [null, Number.POSITIVE_INFINITY],
  ])('may use, by the quota %j, %d cores', (text, cores) => {
    expect(coresOfQuota(text)).toBe(cores);
  });

  it('gives each worker its part of the memory, and not more than it can use', () => {
    expect(defaultWorkerMemoryBytes(4, 10e9)).toBe(1.5e9);
    expect(defaultWorkerMemoryBytes(1, 1e12)).toBe(4 * 2 ** 30);
  });
});
