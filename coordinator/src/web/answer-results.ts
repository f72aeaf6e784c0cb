import type { TestName } from '@shardex/shared/config';
import { InvalidInputError } from '@shardex/shared/errors';
import type { FittedParts, JobView, ResultsRequest } from '../domain/index.js';
import { ProvisionalResults } from './provisional-results.js';
import { RecentPromises } from './recent-promises.js';
import type { PerturbationResults, RunOverview, TestOverview } from './result-shapes.js';
import { ResultsCache } from './results-cache.js';

export interface ResultsPort {
  view(jobId: string): JobView;
  /** What a running job has left of its comparisons; null: nothing. @throws InvalidInputError when there is no such job */
  fitted(jobId: string): FittedParts | null;
  /** CSV of a finished job. @throws InvalidInputError when there is no such job or it has not succeeded */
  results(jobId: string, request: ResultsRequest): AsyncIterable<Uint8Array>;
}

/** Running jobs of which names and counts are kept. */
const KEPT_RUNNING = 2;

/** Results of jobs in one form: final ones of those that have succeeded, and what there is of those that still run. */
export class ResultsAnswers {
  private readonly files = new ResultsCache();
  private readonly running = new RecentPromises<ProvisionalResults>(KEPT_RUNNING, () => undefined);

  constructor(private readonly jobs: ResultsPort) {}

  run(jobId: string): Promise<RunOverview> {
    return this.choose(
      jobId,
      (folder) => this.files.run(folder),
      (results, parts) => results.run(parts),
    );
  }

  test(jobId: string, test: TestName): Promise<TestOverview> {
    return this.choose(
      jobId,
      (folder) => this.files.test(jobId, folder, test),
      (results, parts) => results.test(parts, test),
    );
  }

  perturbation(jobId: string, test: TestName, name: string): Promise<PerturbationResults> {
    return this.choose(
      jobId,
      (folder) => this.files.perturbation(jobId, folder, test, name),
      (results, parts) => results.perturbation(parts, test, name),
    );
  }

  /** A perturbation's whole table as text, and a name for it that says what it is. */
  csv(jobId: string, test: TestName, name: string) {
    type Table = { readonly name: string; readonly chunks: AsyncIterable<Uint8Array> };
    return this.choose<Table>(
      jobId,
      () =>
        Promise.resolve({
          name: `${name}-${test}.csv`,
          chunks: this.jobs.results(jobId, { test, perturbation: name, top: null }),
        }),
      async (results, parts) => ({
        name: `${name}-${test}-provisional.csv`,
        chunks: await results.csv(parts, test, name),
      }),
    );
  }

  close(): void {
    this.files.close();
    this.running.clear();
  }

  private async choose<Value>(
    jobId: string,
    final: (folder: string) => Promise<Value>,
    provisional: (results: ProvisionalResults, parts: FittedParts) => Promise<Value>,
  ): Promise<Value> {
    const { state, parameters } = this.jobs.view(jobId);
    if (state === 'succeeded') return final(parameters.output);
    const parts = this.jobs.fitted(jobId);
    if (parts === null) throw new InvalidInputError(`job ${jobId} has no results: it is ${state}`);
    try {
      return await provisional(await this.running.get(jobId, () => ProvisionalResults.open(parts)), parts);
    } catch (error) {
      // Its scratch goes when it has succeeded, also while somebody reads there.
      if (this.jobs.view(jobId).state === 'succeeded') return final(parameters.output);
      throw error;
    }
  }
}
