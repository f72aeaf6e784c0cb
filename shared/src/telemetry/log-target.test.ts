import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LogTarget } from './log-target.js';

/** A pipe that holds so many bytes until somebody reads. */
class Pipe {
  text = '';
  room = 0;
  failure: string | null = null;

  readonly write = (bytes: Uint8Array): number => {
    if (this.failure !== null) throw Object.assign(new Error(this.failure), { code: this.failure });
    if (this.room === 0) throw Object.assign(new Error('full'), { code: 'EAGAIN' });
    const written = Math.min(this.room, bytes.length);
    this.text += Buffer.from(bytes.subarray(0, written)).toString();
    this.room -= written;
    return written;
  };
}

describe('the log', () => {
  let pipe: Pipe;
  let target: LogTarget;
  beforeEach(() => {
    vi.useFakeTimers();
    pipe = new Pipe();
    target = new LogTarget(pipe.write);
  });
  afterEach(() => void vi.useRealTimers());

  it('is written at once while there is room', () => {
    pipe.room = 100;
    target.write('one\n');
    target.write('two\n');
    expect(pipe.text).toBe('one\ntwo\n');
  });

  it('waits for its reader without holding anything up, and stays in order', () => {
    pipe.room = 6;
    for (const line of ['one\n', 'two\n', 'three\n']) target.write(line);
    expect(pipe.text).toBe('one\ntw');
    pipe.room = 100;
    target.write('four\n');
    vi.runAllTimers();
    expect(pipe.text).toBe('one\ntwo\nthree\nfour\n');
  });

  it('says how many lines were lost when it is read too late', () => {
    const line = `${'x'.repeat(2 ** 20 - 1)}\n`;
    for (let i = 0; i < 6; i++) target.write(line);
    expect(target.lost).toBe(2);
    pipe.room = 2 ** 30;
    vi.runAllTimers();
    const [last, ...others] = pipe.text.trimEnd().split('\n').reverse();
    expect(others).toHaveLength(4);
    expect(JSON.parse(last)).toMatchObject({
      text: 'lines of the log that nobody read in time, and that are lost: 2',
    });
    expect(target.lost).toBe(0);
  });

  it('outlives a full disk, and a reader that has left', () => {
    pipe.failure = 'ENOSPC';
    target.write('one\n');
    pipe.failure = null;
    pipe.room = 1000;
    vi.runAllTimers();
    target.write('two\n');
    expect(pipe.text).toBe('one\ntwo\n');
    pipe.failure = 'EPIPE';
    target.write('three\n');
    pipe.failure = null;
    target.write('four\n');
    vi.runAllTimers();
    expect(pipe.text).not.toMatch(/three|four/);
  });
});
