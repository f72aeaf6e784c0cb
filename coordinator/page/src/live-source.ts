import type { LiveJobDetails, LiveState } from '../../src/web/live-shapes.js';
import type { PerturbationResults, RunOverview, TestOverview } from '../../src/web/result-shapes.js';
import type { ResultsSource } from './results-source.js';

/** What a coordinator says. @throws Error with its sentence, or that it cannot be reached */
async function ask<Answer>(path: string): Promise<Answer> {
  const response = await fetch(`api/${path}`);
  const answer = (await response.json()) as Answer & { readonly message?: string };
  if (!response.ok) throw new RequestError(answer.message ?? `${response.status} ${response.statusText}`);
  return answer;
}

class RequestError extends Error {}

export const askState = (): Promise<LiveState> => ask('state');

export const askJob = (jobId: string): Promise<LiveJobDetails> => ask(`jobs/${encodeURIComponent(jobId)}`);

/** Results of a finished job, or what a running one has so far: the same questions have the same answers, but for more of them. */
export async function liveResults(jobId: string): Promise<ResultsSource> {
  const path = `jobs/${encodeURIComponent(jobId)}/results`;
  const overview = await ask<RunOverview>(path);
  const of = (test: string, perturbation: string): string =>
    `${path}/${test}?perturbation=${encodeURIComponent(perturbation)}`;
  return {
    overview,
    test: (test) => ask<TestOverview>(`${path}/${test}`),
    perturbation: (test, perturbation) => ask<PerturbationResults>(of(test, perturbation)),
    has: () => true,
    download: (test, perturbation) => `api/${of(test, perturbation)}&format=csv`,
  };
}
