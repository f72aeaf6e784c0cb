import { CancelledError } from '@shardex/shared/errors';

interface Waiting {
  readonly enter: () => void;
}

/** Lets so many in at a time; the others wait in the order in which they came. */
export class Turnstile {
  readonly #waiting = new Set<Waiting>();
  #inside = 0;

  constructor(readonly limit: number) {}

  /**
   * Does the work as soon as there is room.
   *
   * @throws CancelledError when `signal` is aborted before there is
   */
  async pass<Result>(work: () => Promise<Result>, signal?: AbortSignal): Promise<Result> {
    if (this.#inside < this.limit) this.#inside++;
    else await this.#turn(signal);
    try {
      return await work();
    } finally {
      const next = this.#waiting.values().next().value;
      // The place goes from hand to hand: nobody who comes now can slip in between.
      if (next === undefined) this.#inside--;
      else next.enter();
    }
  }

  #turn(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.delete(waiting);
        signal?.removeEventListener('abort', giveUp);
      };
      const giveUp = (): void => {
        leave();
        reject(new CancelledError('cancelled while waiting for its turn'));
      };
      const waiting: Waiting = {
        enter: () => {
          leave();
          resolve();
        },
      };
      if (signal?.aborted === true) return giveUp();
      signal?.addEventListener('abort', giveUp, { once: true });
      this.#waiting.add(waiting);
    });
  }
}
