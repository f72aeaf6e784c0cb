import { describe, expect, it } from 'vitest';
import { formatMemorySize, parseMemorySize } from './memory-size.js';

describe('memory sizes', () => {
  it.each([
    ['4GiB', 4 * 2 ** 30],
    ['4 gib', 4 * 2 ** 30],
    ['4Gi', 4 * 2 ** 30],
    ['512MB', 512e6],
    ['512M', 512e6],
    ['1.5KiB', 1536],
    ['0.5KB', 500],
    ['2TiB', 2 * 2 ** 40],
    ['1073741824', 2 ** 30],
    ['7B', 7],
  ])('reads %s as %d bytes', (text, bytes) => {
    expect(parseMemorySize(text)).toBe(bytes);
  });

  it.each(['', 'lots', '-4GiB', '4GiBs', '4 4GiB', '0', '0.1B', '1e9', '4PiB', '99999999TiB', 'GiB'])(
    'refuses %j in one sentence',
    (text) => {
      expect(() => parseMemorySize(text)).toThrow(`--memory "${text}" is not a memory size`);
    },
  );

  it('names the source of the text in the error', () => {
    expect(() => parseMemorySize('x', 'SHARDEX_MEMORY')).toThrow('SHARDEX_MEMORY "x" is not a memory size');
  });

  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '0.98 KiB'],
    [1024, '1 KiB'],
    [4 * 2 ** 30, '4 GiB'],
    [1_500_000, '1.43 MiB'],
    [15_000_000, '14.3 MiB'],
    [1023 * 1024, '1 MiB'],
    [2 ** 60, '1024 PiB'],
  ])('writes %d bytes as %s', (bytes, text) => {
    expect(formatMemorySize(bytes)).toBe(text);
  });
});
