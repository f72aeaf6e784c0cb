import { ResourceExhaustedError } from '@shardex/shared/errors';

/** How many jobs of one owner may be there at the same time, submissions that are still being planned included. */
export class JobQuota {
  readonly #pending = new Map<string, number>();

  /** @param ongoing - jobs of an owner that have not ended */
  constructor(
    private readonly most: number,
    private readonly ongoing: (owner: string) => number,
  ) {}

  /** Submits, if there is room. @throws ResourceExhaustedError otherwise */
  async submit<Result>(owner: string, submit: () => Promise<Result>): Promise<Result> {
    const pending = this.#pending.get(owner) ?? 0;
    if (this.ongoing(owner) + pending >= this.most) {
      throw new ResourceExhaustedError(
        `${owner === '' ? '' : `${owner}: `}the limit of ${this.most} jobs under way is reached`,
        { hint: 'wait for one to end, or cancel one' },
      );
    }
    this.#pending.set(owner, pending + 1);
    try {
      return await submit();
    } finally {
      const left = (this.#pending.get(owner) ?? 1) - 1;
      if (left === 0) this.#pending.delete(owner);
      else this.#pending.set(owner, left);
    }
  }
}
