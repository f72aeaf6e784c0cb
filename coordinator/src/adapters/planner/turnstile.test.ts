import { describe, expect, it } from 'vitest';
import { Turnstile } from './turnstile.js';

/** Work that ends when it is told to. */
function piece(): { readonly work: () => Promise<string>; readonly begun: Promise<void>; end(): void; fail(): void } {
  let [begin, end, fail] = [(): void => undefined, (): void => undefined, (): void => undefined];
  const begun = new Promise<void>((resolve) => (begin = resolve));
  const done = new Promise<string>((resolve, reject) => {
    end = () => resolve('done');
    fail = () => reject(new RangeError('failed'));
  });
  return {
    begun,
    work: () => {
      begin();
      return done;
    },
    end: () => end(),
    fail: () => fail(),
  };
}

const isPending = async (promise: Promise<unknown>): Promise<boolean> => {
  const other = Symbol('other');
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  return (await Promise.race([promise, Promise.resolve(other)])) === other;
};

describe('a turnstile', () => {
  it('lets so many in at a time, the others in the order in which they came', async () => {
    const turnstile = new Turnstile(2);
    const pieces = [piece(), piece(), piece(), piece()];
    const ends = pieces.map(({ work }) => turnstile.pass(work));
    await Promise.all([pieces[0].begun, pieces[1].begun]);
    expect(await isPending(pieces[2].begun)).toBe(true);
    pieces[1].end();
    await pieces[2].begun;
    expect(await isPending(pieces[3].begun)).toBe(true);
    pieces[0].end();
    await pieces[3].begun;
    pieces[2].end();
    pieces[3].end();
    expect(await Promise.all(ends)).toEqual(['done', 'done', 'done', 'done']);
  });

  it('makes room after a failure', async () => {
    const turnstile = new Turnstile(1);
    const [first, second] = [piece(), piece()];
    const failed = turnstile.pass(first.work);
    const passed = turnstile.pass(second.work);
    first.fail();
    await expect(failed).rejects.toThrow('failed');
    await second.begun;
    second.end();
    expect(await passed).toBe('done');
  });

  it('lets go of those who are cancelled while they wait, and forgets them', async () => {
    const turnstile = new Turnstile(1);
    const [first, second, third] = [piece(), piece(), piece()];
    const controller = new AbortController();
    const ends = [turnstile.pass(first.work)];
    const cancelled = turnstile.pass(second.work, controller.signal);
    ends.push(turnstile.pass(third.work));
    controller.abort();
    await expect(cancelled).rejects.toMatchObject({ tag: 'Cancelled' });
    first.end();
    await third.begun;
    third.end();
    expect(await Promise.all(ends)).toEqual(['done', 'done']);
    await expect(turnstile.pass(first.work, controller.signal)).resolves.toBe('done');
  });
});
