import { setTimeout as sleep } from 'node:timers/promises';

/** How failed requests are repeated; clock and random numbers can be replaced. */
export interface RetryPolicy {
  /** Tries, the first included. */
  readonly attempts: number;
  readonly random: () => number;
  readonly wait: (ms: number) => Promise<unknown>;
}

const BASE_MS = 100;
const THROTTLED_BASE_MS = 500;
const MAX_MS = 20_000;

export const retryPolicy = (attempts: number): RetryPolicy => ({ attempts, random: Math.random, wait: sleep });

/**
 * Milliseconds before the next try: uniform between 0 and an exponentially growing bound, so that many clients that
 * failed together do not come back together.
 *
 * @param failed - tries so far, from 1
 * @source "full jitter": M. Brooker, Exponential Backoff And Jitter, AWS Architecture Blog, 2015
 */
export function backoffMs(failed: number, isThrottled: boolean, random: () => number): number {
  const base = isThrottled ? THROTTLED_BASE_MS : BASE_MS;
  return random() * Math.min(MAX_MS, base * 2 ** (failed - 1));
}
