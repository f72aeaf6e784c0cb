import type {
  PerturbationResults,
  ReportData,
  RunOverview,
  TestName,
  TestOverview,
} from '../../src/web/result-shapes.js';

/** Where results come from: a coordinator, or the report itself. */
export interface ResultsSource {
  readonly overview: RunOverview;
  test(test: TestName): Promise<TestOverview>;
  perturbation(test: TestName, perturbation: string): Promise<PerturbationResults>;
  /** Whether there is more of this perturbation than its counts. */
  has(test: TestName, perturbation: string): boolean;
  /** Where the whole table of a perturbation can be downloaded; null: only what is here. */
  download(test: TestName, perturbation: string): string | null;
}

/** The results that stand in the page. */
export function reportSource(data: ReportData): ResultsSource {
  const byName = new Map(data.results.map((result) => [`${result.test}\n${result.perturbation}`, result]));
  return {
    overview: data,
    test: (test) => found(data.overviews.find((overview) => overview.test === test)),
    perturbation: (test, perturbation) => found(byName.get(`${test}\n${perturbation}`)),
    has: (test, perturbation) => byName.has(`${test}\n${perturbation}`),
    download: () => null,
  };
}

const found = <Value>(value: Value | undefined): Promise<Value> =>
  value === undefined ? Promise.reject(new RangeError('the report does not hold this')) : Promise.resolve(value);
