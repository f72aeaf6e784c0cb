import { describe, expect, it } from 'vitest';
import { JobQuota } from './job-quota.js';
import { RateLimiter } from './rate-limiter.js';

describe('a limit of requests', () => {
  it('lets twice the rate pass at once, then the rate, for each peer by itself', () => {
    let nowMs = 0;
    const limiter = new RateLimiter(2, () => nowMs);
    const taken = (peer: string): number => {
      let count = 0;
      while (limiter.take(peer)) count += 1;
      return count;
    };
    expect(taken('a')).toBe(4);
    expect(taken('b')).toBe(4);
    nowMs = 499;
    expect(taken('a')).toBe(0);
    nowMs = 500;
    expect(taken('a')).toBe(1);
    nowMs = 1e6;
    expect(taken('a')).toBe(4);
  });

  it('of 0 is none', () => {
    const limiter = new RateLimiter(0, () => 0);
    expect(Array.from({ length: 1000 }, () => limiter.take('a'))).not.toContain(false);
    expect(limiter.size).toBe(0);
  });

  it('does not remember ever more peers', () => {
    const limiter = new RateLimiter(1, () => 0);
    for (let i = 0; i < 10_500; i++) limiter.take(`peer ${i}`);
    expect(limiter.size).toBe(10_000);
  });
});

describe('a quota of jobs', () => {
  it('counts jobs under way and submissions being planned, of each owner by itself', async () => {
    const ongoing = new Map([['alice', 1]]);
    const quota = new JobQuota(2, (owner) => ongoing.get(owner) ?? 0);
    const ends: (() => void)[] = [];
    const plan = (): Promise<string> => new Promise((resolve) => ends.push(() => resolve('planned')));
    const first = quota.submit('alice', plan);
    await expect(quota.submit('alice', plan)).rejects.toMatchObject({
      tag: 'ResourceExhausted',
      message: 'alice: the limit of 2 jobs under way is reached',
    });
    const other = quota.submit('bob', plan);
    ends.forEach((end) => end());
    expect([await first, await other]).toEqual(['planned', 'planned']);
    await expect(quota.submit('alice', () => Promise.reject(new Error('bad input')))).rejects.toThrow('bad input');
    expect(await quota.submit('alice', () => Promise.resolve('again'))).toBe('again');
  });
});
