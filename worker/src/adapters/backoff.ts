/** Pauses between tries; times in milliseconds. */
export interface BackoffOptions {
  readonly firstMs: number;
  readonly mostMs: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

export const DEFAULT_BACKOFF: BackoffOptions = { firstMs: 200, mostMs: 5_000, random: Math.random };

/**
 * Pause before the next try: min(most, first · 2^(failures − 1)), of which the upper half is left to chance, so that the
 * workers of a restarted coordinator do not come all at once. No failure, no pause.
 */
export function backoffMs(failures: number, { firstMs, mostMs, random }: BackoffOptions): number {
  if (failures <= 0) return 0;
  const fullMs = Math.min(mostMs, firstMs * 2 ** Math.min(failures - 1, 30));
  return fullMs * (0.5 + 0.5 * random());
}
