import { InvariantBrokenError } from '@shardex/shared/errors';
import type { TableWriter } from '@shardex/shared/h5ad';
import { readBlocks, readResultGroups, type FitOutputs } from './fit-outputs.js';
import { readFrozen, type FrozenSummary } from './frozen-summary.js';
import { openOutputFolder, type OutputFolder } from './output-folder.js';
import type { ReductionScope } from './scratch.js';
import { CELLS_FILE, fillCells } from './write-cells.js';
import { TestFiles } from './write-test.js';

/** All result files of a run but `run.json`, under temporary names: begun by the merge, or ahead of it while fits run. */
export class ResultFiles {
  private readonly tests: TestFiles[] = [];
  private haveCellsFailed = false;

  private constructor(
    /** Where they are. */
    readonly output: OutputFolder,
    readonly frozen: FrozenSummary,
    /** Of the result rows. */
    private readonly groups: readonly number[],
    /** Written meanwhile. */
    private readonly cells: Promise<TableWriter>,
  ) {
    // The failure itself is looked at when all of it is waited for.
    cells.catch(() => (this.haveCellsFailed = true));
  }

  /** Creates them as far as they can be described before the fits have run. */
  static async open(scope: ReductionScope): Promise<ResultFiles> {
    const [groups, frozen] = [await readResultGroups(scope), await readFrozen(scope)];
    const output = await openOutputFolder(scope);
    const files = new ResultFiles(output, frozen, groups, fillCells(scope, output.path));
    try {
      for (const test of scope.context.parameters.tests)
        files.tests.push(await TestFiles.open(scope, output.path, test, frozen, groups));
      return files;
    } catch (error) {
      await files.discard();
      throw error;
    }
  }

  /** Perturbations, or rows of the results. */
  get nRows(): number {
    return this.groups.length;
  }

  /** Whether they can't be completed any more. */
  get isBroken(): boolean {
    return this.haveCellsFailed;
  }

  /** Writes the rows of one fit output as far as they are not there yet, and as long as that is wanted. */
  async add(scope: ReductionScope, fitOutput: string, isWanted: () => boolean): Promise<void> {
    for (const block of await readBlocks(scope, fitOutput, this.groups)) {
      for (const files of this.tests) if (isWanted()) await files.add(scope, block);
    }
  }

  /** Writes all that is not there yet, and waits until it is on disk. */
  async fill(scope: ReductionScope, fits: FitOutputs): Promise<void> {
    const isForetold =
      fits.groups.length === this.nRows && fits.groups.every((group, row) => group === this.groups[row]);
    if (!isForetold) throw new InvariantBrokenError('the fits are not of the perturbations that the filters have kept');
    const beside: Promise<unknown>[] = [this.cells];
    try {
      for (const [i, files] of this.tests.entries()) {
        await files.fill(scope, this.frozen, fits, (fraction) => scope.report((i + fraction) / this.tests.length));
        const settled = files.settle();
        settled.catch(() => undefined);
        beside.push(settled);
      }
      await Promise.all(beside);
    } catch (error) {
      await Promise.allSettled(beside);
      throw error;
    }
  }

  /** Gives the files their names. @returns the names */
  async close(): Promise<readonly string[]> {
    const names: string[] = [];
    for (const files of this.tests) names.push(...(await files.close()));
    await (await this.cells).close();
    return [...names, CELLS_FILE];
  }

  /** Removes whatever has no name yet, and what is only local. */
  async discard(): Promise<void> {
    for (const files of this.tests) await files.abort();
    await this.cells.then(
      (table) => table.abort(),
      () => undefined,
    );
    await this.output.close();
  }
}
