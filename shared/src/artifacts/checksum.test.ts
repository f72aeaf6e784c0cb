import fc from 'fast-check';
import { crc32 as ofNode } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { crc32, crc32ByTable } from './checksum.js';

describe('the checksum', () => {
  it('of "123456789" is the check value of CRC-32', () => {
    const bytes = new TextEncoder().encode('123456789');
    expect(crc32(bytes)).toBe(0xcbf43926);
    expect(crc32ByTable(bytes)).toBe(0xcbf43926);
  });

  it.skipIf(typeof ofNode !== 'function')("is zlib's for any bytes (skipped before Node 20.15, which has none)", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => crc32ByTable(bytes) === ofNode(bytes)),
      { seed: 2, numRuns: 200 },
    );
  });
});
