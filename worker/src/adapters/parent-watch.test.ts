import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { watchParent } from './parent-watch.js';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

class OtherProcess extends EventEmitter {
  ppid = 77;
  connected = true;
}

it('tells once when the process was handed to another parent', () => {
  const other = new OtherProcess();
  const onGone = vi.fn();
  watchParent(onGone, 77, other);
  vi.advanceTimersByTime(10_000);
  expect(onGone).not.toHaveBeenCalled();
  other.ppid = 1;
  vi.advanceTimersByTime(10_000);
  other.emit('disconnect');
  expect(onGone).toHaveBeenCalledTimes(1);
});

it('tells at once when the channel to the parent closes', () => {
  const other = new OtherProcess();
  const onGone = vi.fn();
  watchParent(onGone, 77, other);
  other.emit('disconnect');
  expect(onGone).toHaveBeenCalledTimes(1);
});

it('tells nothing after it was stopped', () => {
  const other = new OtherProcess();
  const onGone = vi.fn();
  watchParent(onGone, 77, other)();
  other.ppid = 1;
  other.emit('disconnect');
  vi.advanceTimersByTime(10_000);
  expect(onGone).not.toHaveBeenCalled();
});

it('tells at once when the parent was gone before anyone watched', () => {
  const onGone = vi.fn();
  watchParent(onGone, 78, new OtherProcess());
  expect(onGone).toHaveBeenCalledTimes(1);
});
