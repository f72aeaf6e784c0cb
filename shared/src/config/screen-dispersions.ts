import type { DeParameters } from './de-parameters.js';

/** Whether dispersions are estimated once for the whole screen, in stages of their own, before the NB-GLM is fitted. */
export const hasScreenDispersions = ({ tests, dispersion, dispersionScope }: DeParameters): boolean =>
  tests.includes('nb-glm') && dispersion === null && dispersionScope !== 'per-comparison';
