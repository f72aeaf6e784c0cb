import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { onStopSignals } from './stop-signals.js';

describe('signals to stop', () => {
  let source: EventEmitter;
  let heard: string[];
  let release: () => void;
  beforeEach(() => {
    vi.useFakeTimers();
    source = new EventEmitter();
    heard = [];
    release = onStopSignals(
      (signal) => heard.push(signal),
      () => Date.now(),
      source as NodeJS.Process,
    );
  });
  afterEach(() => void vi.useRealTimers());

  it('are one request when they come within a second, whichever they are', () => {
    source.emit('SIGTERM', 'SIGTERM');
    source.emit('SIGINT', 'SIGINT');
    vi.advanceTimersByTime(999);
    source.emit('SIGTERM', 'SIGTERM');
    expect(heard).toEqual(['SIGTERM']);
  });

  it('are another request a second after the last, however many were left out between', () => {
    source.emit('SIGINT', 'SIGINT');
    vi.advanceTimersByTime(600);
    source.emit('SIGINT', 'SIGINT');
    vi.advanceTimersByTime(600);
    source.emit('SIGTERM', 'SIGTERM');
    expect(heard).toEqual(['SIGINT', 'SIGTERM']);
  });

  it('are left to the system at once when nobody listens any more', () => {
    release();
    expect(source.eventNames()).toEqual([]);
  });

  it('harm nobody who ended by the first of them', () => {
    source.emit('SIGTERM', 'SIGTERM');
    release();
    expect(source.eventNames()).toEqual(['SIGTERM', 'SIGINT']);
    vi.advanceTimersByTime(1_000);
    expect(source.eventNames()).toEqual([]);
    expect(heard).toEqual(['SIGTERM']);
  });
});
