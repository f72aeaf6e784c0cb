// Sums of whole numbers: the same whatever the order they are added in.

/** target[i] += values[i], i64 modulo 2^64, for n numbers. */
export function addI64(target: usize, values: usize, n: u32): void {
  const bytes = <usize>n << 3;
  const paired = bytes & ~15;
  for (let at: usize = 0; at < paired; at += 16) {
    v128.store(target + at, i64x2.add(v128.load(target + at), v128.load(values + at)));
  }
  if (paired < bytes) store<i64>(target + paired, load<i64>(target + paired) + load<i64>(values + paired));
}

/** target[i] += values[i], u32 modulo 2^32, for n numbers. */
export function addU32(target: usize, values: usize, n: u32): void {
  const bytes = <usize>n << 2;
  let at: usize = 0;
  for (const whole = bytes & ~15; at < whole; at += 16) {
    v128.store(target + at, i32x4.add(v128.load(target + at), v128.load(values + at)));
  }
  for (; at < bytes; at += 4) store<u32>(target + at, load<u32>(target + at) + load<u32>(values + at));
}
