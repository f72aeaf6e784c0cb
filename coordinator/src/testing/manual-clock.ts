import type { Clock } from '../adapters/index.js';

interface Timer {
  dueMs: number;
  readonly intervalMs: number | null;
  readonly act: () => void;
}

/** A clock whose hands are turned by the test: timers fire in order of time while it is advanced, and at no other time. */
export class ManualClock implements Clock {
  #nowMs = 1_000_000;
  readonly #timers = new Set<Timer>();

  nowMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, act: () => void): () => void {
    return this.#add({ dueMs: this.#nowMs + delayMs, intervalMs: null, act });
  }

  every(intervalMs: number, act: () => void): () => void {
    return this.#add({ dueMs: this.#nowMs + intervalMs, intervalMs, act });
  }

  /** Turns the hands, firing every timer that falls due on the way. */
  advance(byMs: number): void {
    const untilMs = this.#nowMs + byMs;
    for (let next = this.#nextDue(untilMs); next !== null; next = this.#nextDue(untilMs)) {
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      if (next.intervalMs === null) this.#timers.delete(next);
      else next.dueMs += next.intervalMs;
      next.act();
    }
    this.#nowMs = untilMs;
  }

  #nextDue(untilMs: number): Timer | null {
    const due = [...this.#timers].filter((timer) => timer.dueMs <= untilMs).sort((a, b) => a.dueMs - b.dueMs);
    return due[0] ?? null;
  }

  #add(timer: Timer): () => void {
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }
}
