import { InvalidInputError } from '../errors/index.js';

/** Multiples of a byte by their lower-case suffix: IEC (1024) and SI (1000), each with its short form. */
const UNIT_BYTES: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
  k: 1e3,
  m: 1e6,
  g: 1e9,
  t: 1e12,
  ki: 2 ** 10,
  mi: 2 ** 20,
  gi: 2 ** 30,
  ti: 2 ** 40,
};

/** Less than this a worker's runtime and fixed buffers take for themselves. */
export const LEAST_WORKER_BYTES = 256 * 2 ** 20;

/**
 * Bytes in a size as people write it: `4GiB`, `512MB`, `1.5 GiB`, `4Gi`, `1073741824`.
 *
 * KB, MB, GB, TB (and K, M, G, T) are powers of 1000, KiB … TiB (and Ki … Ti) powers of 1024, as in Kubernetes; case does
 * not matter. Fractions are rounded down to whole bytes.
 *
 * @param source - the option or variable the text comes from, for the error
 * @throws InvalidInputError when it is no size, or not at least one byte
 */
export function parseMemorySize(text: string, source = '--memory'): number {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim());
  const unit = match === null ? undefined : UNIT_BYTES[match[2].toLowerCase()];
  const bytes = match === null || unit === undefined ? Number.NaN : Math.floor(Number(match[1]) * unit);
  if (!Number.isSafeInteger(bytes) || bytes < 1) {
    throw new InvalidInputError(`${source} "${text}" is not a memory size`, {
      hint: 'write a number and a unit, as 4GiB or 512MB',
    });
  }
  return bytes;
}

/** Bytes as people read them: three significant digits and an IEC unit, as `3.91 GiB`; below 1 KiB as `512 B`. */
export function formatMemorySize(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let value = bytes;
  let unit = 0;
  // 999.5 would round to four digits.
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  if (unit === 0) return `${Math.round(value)} B`;
  const decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return `${Number(value.toFixed(decimals))} ${units[unit]}`;
}
