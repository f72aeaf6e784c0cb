import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  DifferentialExpressionSpecSchema,
  LeaseSchema,
  TaskReportSchema,
  create,
  decodeMessage,
  encodeMessage,
} from '@shardex/proto';
import {
  DEFAULT_DE_PARAMETERS,
  OUTPUT_FORMATS,
  RATIO_METHODS,
  TEST_NAMES,
  type DeParameters,
  CORRECTIONS,
  SHRINKAGES,
  T_TEST_VARIANTS,
  BATCH_WEIGHTS,
  DISPERSION_ESTIMATORS,
  DISPERSION_SCOPES,
  PRESETS,
  RANK_PRECISIONS,
  REFERENCES,
  SHRINK_PRIORS,
  SIZE_FACTOR_SCOPES,
  STANDARD_ERRORS,
  WALD_REFERENCES,
  requireCombination,
} from '../config/index.js';
import type { TaskSpec } from '../artifacts/index.js';
import { parametersFromWire, parametersToWire } from './wire-parameters.js';
import { leaseFromWire, leaseToWire, reportFromWire, reportToWire } from './wire-task.js';

const text = fc.string({ minLength: 1, unit: 'grapheme' });
const orNull = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(of, { nil: null });
const uint32 = fc.nat(2 ** 31 - 1);
const count = fc.nat(Number.MAX_SAFE_INTEGER);

const choices: fc.Arbitrary<DeParameters> = fc.record({
  input: text,
  output: text,
  perturbationColumn: orNull(text),
  controlLabel: orNull(text),
  tests: fc.subarray([...TEST_NAMES], { minLength: 1 }),
  perturbations: orNull(fc.array(text, { minLength: 1 })),
  layer: orNull(text),
  inputScale: fc.constantFrom('counts', 'log1p', null),
  minGenes: uint32,
  minCellsPerPerturbation: uint32,
  minCellsPerGene: uint32,
  sizeFactors: fc.oneof(
    fc.constantFrom('total' as const, ...RATIO_METHODS),
    text.map((name) => `obs:${name}` as const),
  ),
  scaleSizeFactors: fc.boolean(),
  sizeFactorScope: fc.constantFrom(...SIZE_FACTOR_SCOPES),
  dispersionScope: fc.constantFrom(...DISPERSION_SCOPES),
  dispersionEstimator: fc.constantFrom(...DISPERSION_ESTIMATORS),
  minMu: fc.oneof(fc.constant(0), fc.double({ min: 1e-9, max: 10, noNaN: true })),
  waldReference: fc.constantFrom(...WALD_REFERENCES),
  standardErrors: fc.constantFrom(...STANDARD_ERRORS),
  covariates: fc.array(text),
  batchColumn: orNull(text),
  batchWeights: fc.constantFrom(...BATCH_WEIGHTS),
  reference: fc.constantFrom(...REFERENCES),
  cooks: fc.boolean(),
  cooksFilter: fc.boolean(),
  shrinkPrior: fc.constantFrom(...SHRINK_PRIORS),
  rankPrecision: fc.constantFrom(...RANK_PRECISIONS),
  minCellsExpressed: uint32,
  minTotalCount: uint32,
  minNonzero: uint32,
  lowExpressionFilter: fc.boolean(),
  preset: orNull(fc.constantFrom(...PRESETS)),
  dispersion: orNull(fc.double({ min: 1e-9, max: 1e9, noNaN: true })),
  nbTest: fc.constantFrom('lrt', 'wald'),
  tieCorrect: fc.boolean(),
  continuity: fc.boolean(),
  tTest: fc.constantFrom(...T_TEST_VARIANTS),
  correction: fc.constantFrom(...CORRECTIONS),
  shrink: fc.constantFrom(...SHRINKAGES),
  alpha: fc.double({ min: 1e-9, max: 0.999, noNaN: true }),
  formats: fc.subarray([...OUTPUT_FORMATS], { minLength: 1 }),
  scanpy: fc.boolean(),
  layers: fc.constantFrom('default', 'crispyx'),
  scratch: orNull(text),
});

/** Choices that exclude each other are refused on arrival. */
const parameters = choices.filter((choice) => {
  try {
    requireCombination(choice);
    return true;
  } catch {
    return false;
  }
});

const spec: fc.Arbitrary<TaskSpec> = fc.oneof(
  fc.record({ kind: fc.constant('scan' as const), rowBegin: count, rowEnd: count }),
  fc.record({ kind: fc.constant('ratios' as const), scan: uint32 }),
  fc.record({ kind: fc.constant('shrink' as const), fit: uint32 }),
  fc.record({ kind: fc.constant('control' as const), geneBegin: uint32, geneEnd: uint32 }),
  fc.record({ kind: fc.constant('dispersion' as const), groupBegin: uint32, groupEnd: uint32 }),
  fc.record({ kind: fc.constant('fit' as const), groupBegin: uint32, groupEnd: uint32 }),
);

describe('what travels', () => {
  it('parameters come back from their bytes unchanged', () => {
    fc.assert(
      fc.property(parameters, (sent) => {
        const bytes = encodeMessage(DifferentialExpressionSpecSchema, parametersToWire(sent));
        expect(parametersFromWire(decodeMessage(DifferentialExpressionSpecSchema, bytes))).toEqual(sent);
      }),
      { seed: 11, numRuns: 300 },
    );
  });

  it('leases come back from their bytes unchanged, rows beyond 32 bits included', () => {
    const task = fc.record({
      jobId: text,
      stage: text,
      taskId: text,
      attempt: uint32,
      scratchUri: text,
      output: text,
      memoryBytes: count,
      spec,
    });
    fc.assert(
      fc.property(task, (sent) => {
        expect(leaseFromWire(decodeMessage(LeaseSchema, encodeMessage(LeaseSchema, leaseToWire(sent))))).toEqual(sent);
      }),
      { seed: 12, numRuns: 300 },
    );
  });

  it('reports come back from their bytes unchanged', () => {
    const report = fc.record({
      output: text,
      bytesRead: count,
      bytesWritten: count,
      nonzeros: count,
      fits: count,
      warnings: fc.array(text),
      wallMs: fc.double({ min: 0, max: 1e9, noNaN: true }),
      peakResidentBytes: count,
    });
    fc.assert(
      fc.property(report, (sent) => {
        const bytes = encodeMessage(TaskReportSchema, reportToWire(sent));
        expect(reportFromWire(decodeMessage(TaskReportSchema, bytes))).toEqual(sent);
      }),
      { seed: 13, numRuns: 300 },
    );
  });

  it('fields that a client leaves out have their defaults', () => {
    const least = create(DifferentialExpressionSpecSchema, { input: 'in.h5ad', output: 'out' });
    expect(parametersFromWire(least)).toEqual({ ...DEFAULT_DE_PARAMETERS, input: 'in.h5ad', output: 'out' });
  });

  it.each([
    [{ input: '' }, 'names no input'],
    [{ output: '' }, 'names no output'],
    [{ sizeFactors: 'median' }, 'size factors cannot be "median"'],
    [{ alpha: 1.5 }, 'alpha is 1.5'],
    [{ dispersion: -1 }, 'dispersion is -1'],
    [{ dispersion: Number.NaN }, 'dispersion is NaN'],
    [{ tests: [99] }, 'test has the unknown value 99'],
    [{ inputScale: 99 }, 'input_scale has the unknown value 99'],
  ])('%j is refused with a sentence that names it', (wrong, sentence) => {
    const bad = create(DifferentialExpressionSpecSchema, { input: 'in.h5ad', output: 'out', ...wrong });
    expect(() => parametersFromWire(bad)).toThrow(sentence);
  });

  it('a lease without work that we know is refused', () => {
    expect(() => leaseFromWire(create(LeaseSchema, { taskId: 't' }))).toThrow('task t carries no work');
  });
});
