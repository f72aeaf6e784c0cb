import { log10NormalTwoSided, normalTwoSided } from '../normal-tail.js';
import { log10StudentTwoSided, studentTwoSided } from '../student-tail.js';

/** Two-sided p-value of a statistic and its log10. @param degrees - of Student's t; infinite: normal */
export const twoSided = (zScore: number, degrees: number): readonly [p: number, log10P: number] =>
  degrees === Infinity
    ? [normalTwoSided(zScore), log10NormalTwoSided(zScore)]
    : [studentTwoSided(zScore, degrees), log10StudentTwoSided(zScore, degrees)];
