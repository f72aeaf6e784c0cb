const QUIET_NAN_HIGH = 0x7ff80000;
const INFINITY_HIGH = 0x7ff00000;
const QUIET_NAN_SINGLE = 0x7fc00000;
const INFINITY_SINGLE = 0x7f800000;
const WITHOUT_SIGN = 0x7fffffff;

/**
 * Gives every NaN of a floating-point array the same bits, in place: IEEE 754's quiet NaN without sign and payload. Arrays of
 * integers are left alone.
 *
 * ECMAScript and WebAssembly leave these bits open, and they are not even the same from call to call: 0 / 0 has other bits
 * interpreted than compiled. Objects of scratch, columns and dense matrices of h5ad files, and Parquet pass here before they
 * are written, so that equal numbers are equal bytes. Bits are looked at and set as integers, because a NaN that passes through
 * a number may come out as another.
 */
export function unifyNans(array: ArrayBufferView): void {
  const { buffer, byteOffset } = array;
  if (array instanceof Float64Array) {
    const words = new Uint32Array(buffer, byteOffset, 2 * array.length);
    for (let high = 1; high < words.length; high += 2) {
      const exponent = words[high] & WITHOUT_SIGN;
      if (exponent < INFINITY_HIGH || (exponent === INFINITY_HIGH && words[high - 1] === 0)) continue;
      words[high - 1] = 0;
      words[high] = QUIET_NAN_HIGH;
    }
  } else if (array instanceof Float32Array) {
    const words = new Uint32Array(buffer, byteOffset, array.length);
    for (let i = 0; i < words.length; i++) {
      if ((words[i] & WITHOUT_SIGN) > INFINITY_SINGLE) words[i] = QUIET_NAN_SINGLE;
    }
  }
}
