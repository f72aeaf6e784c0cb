/** Transfers that share one bandwidth equally, each no faster than one reader can be. Times in seconds. */
export class SharedStorage {
  /** Bytes that every transfer under way has moved since the beginning of time: equal shares make it one number for all. */
  private moved = 0;
  private atSeconds = 0;
  /** Transfers under way, by what `moved` will be when they end. */
  private readonly under: { readonly end: number; readonly done: (atSeconds: number) => void }[] = [];
  totalBytes = 0;
  /** Time during which more was wanted than there is. */
  saturatedSeconds = 0;

  constructor(
    private readonly bytesPerSecond: number,
    private readonly bytesPerSecondEach: number,
  ) {}

  start(bytes: number, atSeconds: number, done: (atSeconds: number) => void): void {
    this.advance(atSeconds);
    this.totalBytes += bytes;
    const entry = { end: this.moved + bytes, done };
    let place = this.under.length;
    while (place > 0 && this.under[place - 1].end < entry.end) place--;
    this.under.splice(place, 0, entry);
  }

  /** When the next transfer ends if no other begins; Infinity without any. */
  nextEnd(): number {
    const next = this.under.at(-1);
    return next === undefined ? Infinity : this.atSeconds + (next.end - this.moved) / this.rate();
  }

  /** Ends the transfer that `nextEnd` told of. */
  endNext(): void {
    const atSeconds = this.nextEnd();
    this.advance(atSeconds);
    const next = this.under.pop();
    if (next === undefined) return;
    this.moved = next.end;
    next.done(atSeconds);
  }

  private rate(): number {
    return Math.min(this.bytesPerSecondEach, this.bytesPerSecond / this.under.length);
  }

  private advance(toSeconds: number): void {
    if (this.under.length > 0) {
      const passed = toSeconds - this.atSeconds;
      this.moved += passed * this.rate();
      if (this.under.length * this.bytesPerSecondEach > this.bytesPerSecond) this.saturatedSeconds += passed;
    }
    this.atSeconds = toSeconds;
  }
}
