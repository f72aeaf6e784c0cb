import type { TestName } from '@shardex/shared/config';
import { ResultFile } from '../cli/index.js';
import { readRunOverview, readTestOverview } from './read-overview.js';
import { openPerturbations, type ReadPerturbation } from './read-perturbation.js';
import { RecentPromises } from './recent-promises.js';
import type { PerturbationResults, RunOverview, TestOverview } from './result-shapes.js';

/** Perturbations whose counts the page gets. */
const LISTED_PERTURBATIONS = 20_000;
/** Result files that are kept open: those of one job. */
const OPEN_FILES = 3;
/** Overviews that are kept: reading one means reading all p-values of a file. */
const KEPT_OVERVIEWS = 30;

interface OpenResults {
  readonly file: ResultFile;
  readonly read: ReadPerturbation;
}

/** Results of finished jobs, read once where that is costly. Jobs are told apart by their id: their files do not change. */
export class ResultsCache {
  private readonly files = new RecentPromises<OpenResults>(OPEN_FILES, ({ file }) => void file.close());
  private readonly overviews = new RecentPromises<TestOverview>(KEPT_OVERVIEWS, () => undefined);

  run(folder: string): Promise<RunOverview> {
    return readRunOverview(folder);
  }

  test(jobId: string, folder: string, test: TestName): Promise<TestOverview> {
    return this.overviews.get(`${jobId} ${test}`, async () => {
      const [{ alpha }, { file }] = await Promise.all([readRunOverview(folder), this.open(jobId, folder, test)]);
      return readTestOverview(file, alpha, LISTED_PERTURBATIONS);
    });
  }

  async perturbation(jobId: string, folder: string, test: TestName, name: string): Promise<PerturbationResults> {
    const { read } = await this.open(jobId, folder, test);
    return read(name, null);
  }

  close(): void {
    this.files.clear();
  }

  private open(jobId: string, folder: string, test: TestName): Promise<OpenResults> {
    return this.files.get(`${jobId} ${test}`, async () => {
      const file = await ResultFile.open(folder, test);
      return { file, read: await openPerturbations(file) };
    });
  }
}
