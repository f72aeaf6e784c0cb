/**
 * The value of an IEEE 754 half-precision number.
 *
 * (−1)^s · 2^(e−15) · (1 + f/1024) for exponents e of 1 to 30; subnormals are (−1)^s · 2^(−14) · f/1024.
 *
 * @param bits - the 16 bits as an unsigned number
 * @source IEEE 754-2008, binary16
 */
export function float16ToNumber(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const sign = (bits & 0x8000) === 0 ? 1 : -1;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * 2 ** (exponent - 25) * (1024 + fraction);
}
