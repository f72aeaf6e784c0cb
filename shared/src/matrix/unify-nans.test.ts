import { expect, it } from 'vitest';
import { unifyNans } from './unify-nans.js';

const bits = (array: Float64Array): string[] =>
  Array.from(new BigUint64Array(array.buffer, array.byteOffset, array.length), (word) => word.toString(16));
const ofBits = (...words: bigint[]): Float64Array => new Float64Array(BigUint64Array.from(words).buffer);

it('gives every NaN of doubles the bits of one, and changes no other number', () => {
  const numbers = [0, -0, 1, -1, Infinity, -Infinity, Number.MIN_VALUE, -Number.MAX_VALUE, Number.MAX_VALUE];
  const array = Float64Array.of(...numbers, ...ofBits(1n));
  const before = bits(array);
  unifyNans(array);
  expect(bits(array)).toEqual(before);

  const nans = ofBits(
    0xffffffffffffffffn,
    0xfff8000000000000n,
    0x7ff4000000000000n,
    0x7ff0000000000001n,
    0xfff0000100000000n,
    0x7ff8000000000000n,
  );
  unifyNans(nans);
  expect(bits(nans)).toEqual(Array(6).fill('7ff8000000000000'));
});

it('gives every NaN of singles the bits of one, and changes no other number', () => {
  const words = Uint32Array.of(
    0,
    0x80000000,
    0x7f800000,
    0xff800000,
    1,
    0x7f7fffff,
    0xffffffff,
    0xffc00000,
    0x7f800001,
  );
  unifyNans(new Float32Array(words.buffer));
  expect([...words.subarray(0, 6)]).toEqual([0, 0x80000000, 0x7f800000, 0xff800000, 1, 0x7f7fffff]);
  expect([...words.subarray(6)]).toEqual(Array(3).fill(0x7fc00000));
});

it('changes a part of a buffer only where it was told, and no integers', () => {
  const all = ofBits(0xffffffffffffffffn, 0xffffffffffffffffn, 0xffffffffffffffffn);
  unifyNans(all.subarray(1, 2));
  expect(bits(all)).toEqual(['ffffffffffffffff', '7ff8000000000000', 'ffffffffffffffff']);
  const integers = Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 255);
  unifyNans(integers);
  expect([...integers]).toEqual(Array(8).fill(255));
});
