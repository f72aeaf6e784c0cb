/** Time and timers, injected so that tests turn the hands themselves. */
export interface Clock {
  /** Milliseconds since 1970; never runs backwards. */
  nowMs(): number;
  /** Calls `act` once. @returns stops it */
  after(delayMs: number, act: () => void): () => void;
  /** Calls `act` again and again. @returns stops it */
  every(intervalMs: number, act: () => void): () => void;
}

/**
 * The real clock. It starts at the wall clock's time and goes on by the monotonic one: leases must not run out because
 * somebody set the clock.
 */
export const systemClock: Clock = {
  nowMs: () => performance.timeOrigin + performance.now(),
  after: (delayMs, act) => {
    const timer = setTimeout(act, delayMs);
    return () => clearTimeout(timer);
  },
  every: (intervalMs, act) => {
    const timer = setInterval(act, intervalMs);
    return () => clearInterval(timer);
  },
};
