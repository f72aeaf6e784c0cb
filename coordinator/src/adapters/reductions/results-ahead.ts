import { statfs } from 'node:fs/promises';
import { ResourceExhaustedError } from '@shardex/shared/errors';
import { testFileBytes } from '../../domain/index.js';
import { ResultFiles } from './result-files.js';
import type { ReductionScope } from './scratch.js';

/**
 * Results that are written while fits run: rows of what is committed already. It is a hint and nothing more: whatever goes
 * wrong, what was written is discarded, and the merge finds nothing and writes all of it.
 */
export class ResultsAhead {
  private files: ResultFiles | null = null;
  private isOver = false;
  private isGivenUp = false;
  private isCancelled = (): boolean => false;
  /** Ends when all that it was told of is written. */
  private work: Promise<void>;
  private readonly scope: Promise<ReductionScope>;

  /**
   * @param openScope - opens the job's scratch, of which no fit is needed
   * @param giveUp - told once, when there is trouble and what was written is discarded
   */
  constructor(
    openScope: (isCancelled: () => boolean) => Promise<ReductionScope>,
    private readonly giveUp: (trouble: unknown) => void,
  ) {
    this.scope = openScope(() => this.isCancelled());
    this.work = this.attempt(async (scope) => {
      this.files = await ResultFiles.open(scope);
      await requireRoom(scope, this.files);
    });
  }

  /** Has the rows of a fit output written that is committed. */
  add(fitOutput: string): void {
    const isWanted = (): boolean => !this.isOver && !this.isGivenUp;
    this.work = this.work.then(async () => {
      if (isWanted()) await this.attempt(async (scope) => this.files?.add(scope, fitOutput, isWanted));
    });
  }

  /**
   * Ends it after the rows that are just being written.
   *
   * @param isCancelled - of the merge that goes on with the files
   * @returns what there is; null when nothing is
   */
  async take(isCancelled: () => boolean): Promise<ResultFiles | null> {
    this.isOver = true;
    this.isCancelled = isCancelled;
    await this.work;
    if (this.files?.isBroken === true) await this.discard();
    return this.files;
  }

  /** Ends it and removes what was written. */
  async drop(): Promise<void> {
    await this.take(() => true);
    await this.discard();
  }

  private async attempt(work: (scope: ReductionScope) => Promise<void>): Promise<void> {
    try {
      await work(await this.scope);
    } catch (trouble) {
      await this.discard();
      if (!this.isGivenUp) this.giveUp(trouble);
      this.isGivenUp = true;
    }
  }

  private async discard(): Promise<void> {
    const { files } = this;
    this.files = null;
    // What cannot be removed is hidden, and goes when the folder is taken the next time.
    await files?.discard().catch(() => undefined);
  }
}

/** Fits still have to leave as much on scratch as the files take: nobody may lack the room that they take ahead of time. */
async function requireRoom({ context }: ReductionScope, { nRows, output }: ResultFiles): Promise<void> {
  const { parameters, nGenes } = context;
  const size = { groups: nRows + 1, genes: nGenes };
  const bytes = parameters.tests.reduce((sum, test) => sum + testFileBytes(parameters, test, size), 0);
  const { bavail, bsize } = await statfs(output.path);
  if (bavail * bsize < 2 * bytes) {
    throw new ResourceExhaustedError(`${output.path} has no room for results beside what fits will leave`);
  }
}
