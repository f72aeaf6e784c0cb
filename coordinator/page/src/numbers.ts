/** A number with `digits` significant digits, in scientific notation where it is small or large; a dash for none. */
export function formatNumber(value: number | null | undefined, digits = 3): string {
  if (value === null || value === undefined) return '–';
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size < 1e-3 || size >= 1e6)
    return value
      .toExponential(digits - 1)
      .replace('-', '−')
      .replace('e-', 'e−');
  return String(Number(value.toPrecision(digits))).replace('-', '−');
}

/** A p-value, from its logarithm where it is below the least double. */
export function formatPvalue(pvalue: number | null, log10Pvalue: number | null): string {
  if (pvalue !== 0 || log10Pvalue === null) return formatNumber(pvalue);
  return `1e−${Math.floor(-log10Pvalue)}`;
}

/** A whole number with its thousands set apart. */
export const formatCount = (count: number | null): string => (count === null ? '–' : count.toLocaleString('en'));

export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  return `${Number((bytes / 1024 ** power).toPrecision(3))} ${units[power]}`;
}

export function formatDuration(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** Local time of day to the second, with the day where it is not today's. */
export function formatMoment(unixMs: number, nowMs: number): string {
  const [moment, now] = [new Date(unixMs), new Date(nowMs)];
  const time = moment.toLocaleTimeString('en-GB');
  return moment.toDateString() === now.toDateString() ? time : `${moment.toLocaleDateString('en-CA')} ${time}`;
}
