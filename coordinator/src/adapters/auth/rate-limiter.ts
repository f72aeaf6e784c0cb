interface Bucket {
  tokens: number;
  filledMs: number;
}

/** Peers that are remembered before those with full buckets are forgotten. */
const REMEMBERED_PEERS = 10_000;

/**
 * Requests by peer, as a token bucket each: `perSecond` in the long run, twice as many at once.
 *
 * @source token bucket as in RFC 2697, with one rate
 */
export class RateLimiter {
  readonly #buckets = new Map<string, Bucket>();
  readonly #burst: number;

  /** @param perSecond - 0: no limit */
  constructor(
    private readonly perSecond: number,
    private readonly nowMs: () => number,
  ) {
    this.#burst = 2 * perSecond;
  }

  /** Whether one more request of `peer` may pass. */
  take(peer: string): boolean {
    if (this.perSecond === 0) return true;
    const nowMs = this.nowMs();
    const bucket = this.#buckets.get(peer) ?? this.#add(peer, nowMs);
    this.#fill(bucket, nowMs);
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }

  /** Peers that are remembered. */
  get size(): number {
    return this.#buckets.size;
  }

  #fill(bucket: Bucket, nowMs: number): void {
    bucket.tokens = Math.min(this.#burst, bucket.tokens + ((nowMs - bucket.filledMs) / 1000) * this.perSecond);
    bucket.filledMs = nowMs;
  }

  #add(peer: string, nowMs: number): Bucket {
    if (this.#buckets.size >= REMEMBERED_PEERS) this.#forget(nowMs);
    const bucket = { tokens: this.#burst, filledMs: nowMs };
    this.#buckets.set(peer, bucket);
    return bucket;
  }

  /** A full bucket is like none; if all are in use, the oldest goes. */
  #forget(nowMs: number): void {
    for (const [peer, bucket] of this.#buckets) {
      this.#fill(bucket, nowMs);
      if (bucket.tokens >= this.#burst) this.#buckets.delete(peer);
    }
    const [oldest] = this.#buckets.keys();
    if (this.#buckets.size >= REMEMBERED_PEERS && oldest !== undefined) this.#buckets.delete(oldest);
  }
}
