import { writeSync } from 'node:fs';

/** What may wait for a reader that does not read; lines beyond it are dropped and counted. */
const MAX_WAITING_BYTES = 4 << 20;
/** A pipe that was full is looked at again so often. */
const LOOK_AGAIN_MS = 20;
/** A process that ends gives its reader so long for what still waits. */
const LAST_WAIT_MS = 1_000;

/** Writes a part of the bytes and returns how many; throws EAGAIN when there is no room. */
export type WriteNow = (bytes: Uint8Array) => number;

/**
 * Where log lines go. They are written at once, because the last line before a crash is the one that is needed; but a reader
 * that stands still (a full pipe) must not hold up the process: a coordinator that waits for it loses its workers.
 */
export class LogTarget {
  readonly #writeNow: WriteNow;
  readonly #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #lost = 0;
  #isGone = false;
  #next: NodeJS.Timeout | undefined;

  constructor(writeNow: WriteNow) {
    this.#writeNow = writeNow;
  }

  static #ofProcess: LogTarget | undefined;

  /** The standard error stream of this process: one target, however many loggers there are. */
  static standardError(): LogTarget {
    LogTarget.#ofProcess ??= LogTarget.#openStandardError();
    return LogTarget.#ofProcess;
  }

  static #openStandardError(): LogTarget {
    // Looking at it makes Node take a pipe out of blocking mode, in which a write would wait.
    const { fd } = process.stderr;
    const target = new LogTarget((bytes) => writeSync(fd, bytes));
    process.once('exit', () => target.#finish());
    return target;
  }

  /** Lines that were dropped and not told of yet. */
  get lost(): number {
    return this.#lost;
  }

  write(line: string): void {
    if (this.#isGone) return;
    const bytes = Buffer.from(line);
    if (this.#waitingBytes + bytes.length > MAX_WAITING_BYTES) {
      this.#lost++;
      return;
    }
    this.#add(bytes);
    // What waits goes first, and is under way.
    if (this.#next === undefined) this.#drain();
  }

  /** Writes what waits as far as there is room; the rest is tried again later. */
  #drain(): void {
    clearTimeout(this.#next);
    this.#next = undefined;
    while (this.#waiting.length > 0) {
      if (!this.#writeFirst()) {
        if (!this.#isGone) this.#next = setTimeout(() => this.#drain(), LOOK_AGAIN_MS).unref();
        return;
      }
      if (this.#waiting.length === 0 && this.#lost > 0) this.#tellLoss();
    }
  }

  /** @returns whether something was written */
  #writeFirst(): boolean {
    const [bytes] = this.#waiting;
    try {
      const written = this.#writeNow(bytes);
      this.#waitingBytes -= written;
      if (written === bytes.length) this.#waiting.shift();
      else this.#waiting[0] = bytes.subarray(written);
      return true;
    } catch (error) {
      // The reader has left: nobody can be told. Anything else may pass, a full pipe as well as a full disk.
      if ((error as NodeJS.ErrnoException).code === 'EPIPE') {
        this.#isGone = true;
        this.#waiting.length = 0;
      }
      return false;
    }
  }

  #tellLoss(): void {
    const text = `lines of the log that nobody read in time, and that are lost: ${this.#lost}`;
    this.#lost = 0;
    // Level 40 is "warn" of pino, whose lines these are.
    this.#add(Buffer.from(`${JSON.stringify({ level: 40, time: Date.now(), text })}\n`));
  }

  #add(bytes: Uint8Array): void {
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
  }

  #finish(): void {
    const asleep = new Int32Array(new SharedArrayBuffer(4));
    for (const endMs = performance.now() + LAST_WAIT_MS; this.#waiting.length > 0 && performance.now() < endMs;) {
      if (!this.#writeFirst()) Atomics.wait(asleep, 0, 0, LOOK_AGAIN_MS);
    }
  }
}
