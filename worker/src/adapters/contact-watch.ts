import { toShardexError, WorkerLostError, type ShardexError } from '@shardex/shared/errors';
import type { Logger } from '@shardex/shared/telemetry';

export interface ContactWatchOptions {
  /** Of the coordinator, for the sentence. */
  readonly address: string;
  /** Give up when the coordinator has not answered for so long; null: never. */
  readonly timeoutMs: number | null;
  readonly log: Logger;
  readonly onGivenUp: (error: ShardexError) => void;
}

/** Keeps count of whether the coordinator answers: says so in the log, sparingly, and ends the wait when it is too long. */
export class ContactWatch {
  readonly #options: ContactWatchOptions;
  #failuresInARow = 0;
  #timer: NodeJS.Timeout | null = null;
  #isStopped = false;

  constructor(options: ContactWatchOptions) {
    this.#options = options;
  }

  start(): void {
    const { timeoutMs, address, onGivenUp } = this.#options;
    if (timeoutMs === null || this.#isStopped) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const message = `the coordinator at ${address} has not answered for ${timeoutMs / 1000} s`;
      onGivenUp(new WorkerLostError(message, { hint: 'check that it is running and that the address is right' }));
    }, timeoutMs);
  }

  /** The coordinator has answered. */
  heard(): void {
    if (this.#failuresInARow > 0)
      this.#options.log.info('the coordinator answers again', { failures: this.#failuresInARow });
    this.#failuresInARow = 0;
    this.start();
  }

  /** A call has failed. Logs the 1st, 2nd, 4th, 8th … in a row: an hour's absence is worth a dozen lines. */
  failed(error: unknown, doing: string): ShardexError {
    const known = toShardexError(error, doing);
    const failures = ++this.#failuresInARow;
    const isPowerOfTwo = (failures & (failures - 1)) === 0;
    if (isPowerOfTwo && !this.#isStopped)
      this.#options.log.warn(`${doing}: ${known.sentence}`, { tag: known.tag, failures });
    return known;
  }

  stop(): void {
    this.#isStopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
