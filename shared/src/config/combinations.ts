import { InvalidInputError } from '../errors/index.js';
import type { DeParameters } from './de-parameters.js';

/** Two choices that exclude each other. */
interface Conflict {
  readonly when: (parameters: DeParameters) => boolean;
  readonly sentence: string;
  readonly hint: string;
}

const tests = (name: DeParameters['tests'][number]) => (parameters: DeParameters) => parameters.tests.includes(name);
const hasCovariates = ({ covariates, batchColumn }: DeParameters): boolean =>
  covariates.length > 0 || batchColumn !== null;
const hasCooks = ({ cooks, cooksFilter }: DeParameters): boolean => cooks || cooksFilter;

const CONFLICTS: readonly Conflict[] = [
  {
    when: (p) => p.batchColumn !== null && p.continuity,
    sentence: '--continuity has no definition for a stratified Wilcoxon test',
    hint: 'leave out --continuity or --batch-column',
  },
  {
    when: (p) => p.batchColumn !== null && p.reference !== 'control' && tests('wilcoxon')(p),
    sentence: '--batch-column stratifies against the control cells, but --reference names others',
    hint: 'leave out --reference or --batch-column',
  },
  {
    when: (p) => p.waldReference === 't' && p.nbTest === 'lrt' && tests('nb-glm')(p),
    sentence: '--wald-reference t is for the Wald test, but the likelihood-ratio test is asked for',
    hint: 'add --nb-test wald, or leave out --wald-reference',
  },
  {
    when: (p) => p.dispersion !== null && p.dispersionScope !== 'global',
    sentence: '--dispersion fixes the dispersions, but --dispersion-scope says what to estimate them from',
    hint: 'leave out one of the two',
  },
  {
    when: (p) => p.dispersion !== null && p.dispersionEstimator !== 'map',
    sentence: '--dispersion fixes the dispersions, but --dispersion-estimator says how to estimate them',
    hint: 'leave out one of the two',
  },
  {
    when: (p) => p.dispersionEstimator === 'crispyx' && p.dispersionScope === 'per-comparison',
    sentence: '--dispersion-estimator crispyx takes the moments over the whole screen, not over a comparison',
    hint: 'leave out --dispersion-scope per-comparison, or choose --dispersion-estimator moments',
  },
  {
    when: (p) => p.sizeFactorScope === 'per-comparison' && p.dispersionScope === 'global' && p.dispersion === null,
    sentence: 'dispersions over the whole screen need size factors over the whole screen',
    hint: 'add --dispersion-scope per-comparison, or leave out --size-factor-scope per-comparison',
  },
  {
    when: (p) => p.sizeFactorScope === 'per-comparison' && p.dispersionScope === 'control',
    sentence: '--dispersion-scope control needs size factors over the whole screen',
    hint: 'choose --dispersion-scope per-comparison, or leave out --size-factor-scope per-comparison',
  },
  {
    when: (p) =>
      p.reference !== 'control' &&
      tests('nb-glm')(p) &&
      (hasCovariates(p) ||
        p.minMu > 0 ||
        p.sizeFactorScope !== 'global' ||
        p.dispersionScope === 'control' ||
        hasCooks(p)),
    sentence:
      '--reference other than control works with neither covariates, --min-mu, --cooks nor other scopes in the NB-GLM',
    hint: 'leave nb-glm out of --tests, or compare with the control cells',
  },
  {
    when: (p) =>
      p.shrink !== 'none' && tests('nb-glm')(p) && (hasCovariates(p) || p.minMu > 0 || p.sizeFactorScope !== 'global'),
    sentence:
      '--shrink apeglm works on the compressed measures: with neither covariates, --min-mu nor --size-factor-scope',
    hint: 'run without it, then "shardex shrink DIR --method stats"',
  },
  {
    when: (p) => p.shrink !== 'none' && tests('nb-glm')(p) && hasCooks(p) && p.dispersionScope === 'per-comparison',
    sentence: '--shrink apeglm and --cooks would take the dispersions of a comparison from different sums',
    hint: 'leave out --cooks, or choose --dispersion-scope global',
  },
];

/** @throws InvalidInputError for the first pair of choices that exclude each other */
export function requireCombination(parameters: DeParameters): void {
  const conflict = CONFLICTS.find(({ when }) => when(parameters));
  if (conflict !== undefined) throw new InvalidInputError(conflict.sentence, { hint: conflict.hint });
}
