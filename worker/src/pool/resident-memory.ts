import { readFileSync } from 'node:fs';

/** Resident set of this process now, in bytes. */
export const residentBytes = (): number => process.memoryUsage.rss();

/**
 * Largest resident set of this process so far, in bytes.
 *
 * Linux counts it in two places: `ru_maxrss` starts with what the parent had when it forked, `VmHWM` with this program.
 */
export function peakResidentBytes(): number {
  if (process.platform === 'linux') {
    try {
      const peak = parsePeakResident(readFileSync('/proc/self/status', 'latin1'));
      if (peak !== null) return peak;
    } catch {
      // No procfs in this sandbox: the other count will do.
    }
  }
  return process.resourceUsage().maxRSS * 1024;
}

/** @param status - content of `/proc/PID/status` */
export function parsePeakResident(status: string): number | null {
  const match = /^VmHWM:\s+(\d+) kB$/m.exec(status);
  return match === null ? null : Number(match[1]) * 1024;
}
