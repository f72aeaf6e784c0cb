import { expect, it } from 'vitest';
import { DEFAULT_DE_PARAMETERS, type DeParameters } from '@shardex/shared/config';
import { nbEngineKind } from './nb-engine.js';

const kindOf = (asked: Partial<DeParameters>, continuousCovariates = false): string =>
  nbEngineKind({ ...DEFAULT_DE_PARAMETERS, input: '', output: '', ...asked }, { continuousCovariates });

it.each<[string, Partial<DeParameters>]>([
  ['measures', {}],
  ['measures', { dispersionScope: 'per-comparison', standardErrors: 'robust', nbTest: 'wald', waldReference: 't' }],
  ['measures', { dispersionScope: 'control', dispersionEstimator: 'moments', minNonzero: 7 }],
  ['strata', { covariates: ['donor'] }],
  ['strata', { batchColumn: 'batch' }],
  ['cells', { minMu: 0.5 }],
  ['cells', { sizeFactorScope: 'per-comparison', dispersionScope: 'per-comparison' }],
  ['cells', { cooks: true }],
  ['cells', { cooksFilter: true, batchColumn: 'batch' }],
])('%s fit %o', (kind, asked) => {
  expect(kindOf(asked)).toBe(kind);
});

it('cells fit numeric covariates', () => {
  expect(kindOf({ covariates: ['age'] }, true)).toBe('cells');
});
