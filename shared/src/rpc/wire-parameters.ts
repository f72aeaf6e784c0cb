import {
  BATCH_WEIGHTS,
  DEFAULT_DE_PARAMETERS,
  DISPERSION_ESTIMATORS,
  DISPERSION_SCOPES,
  PRESETS,
  RANK_PRECISIONS,
  REFERENCES,
  SHRINK_PRIORS,
  SIZE_FACTOR_SCOPES,
  STANDARD_ERRORS,
  TEST_NAMES,
  WALD_REFERENCES,
  parseChoice,
  requireCombination,
  sizeFactorMethod,
  type DeParameters,
  type OutputFormat,
  type TestName,
} from '../config/index.js';
import { InvalidInputError } from '../errors/index.js';
import {
  Correction,
  DifferentialExpressionSpecSchema,
  InputScale,
  LayerSet,
  NbTest,
  OutputFormat as WireFormat,
  Shrinkage,
  TTest,
  Test,
  create,
  type DifferentialExpressionSpec,
} from '@shardex/proto';

const WIRE_TESTS: Readonly<Record<TestName, Test>> = {
  'nb-glm': Test.NB_GLM,
  wilcoxon: Test.WILCOXON,
  't-test': Test.T_TEST,
};

const WIRE_FORMATS: Readonly<Record<OutputFormat, WireFormat>> = {
  h5ad: WireFormat.H5AD,
  csv: WireFormat.CSV,
  parquet: WireFormat.PARQUET,
};

const WIRE_SCALES = { counts: InputScale.COUNTS, log1p: InputScale.LOG1P } as const;
const WIRE_NB_TESTS = { lrt: NbTest.LRT, wald: NbTest.WALD } as const;
const WIRE_T_TESTS = {
  welch: TTest.WELCH,
  student: TTest.STUDENT,
  'overestimated-variance': TTest.OVERESTIMATED_VARIANCE,
} as const;
const WIRE_CORRECTIONS = { bh: Correction.BH, bonferroni: Correction.BONFERRONI } as const;
const WIRE_SHRINKAGES = { none: Shrinkage.NONE, apeglm: Shrinkage.APEGLM } as const;
const WIRE_LAYERS = { default: LayerSet.DEFAULT, crispyx: LayerSet.CRISPYX } as const;

export const testToWire = (test: TestName): Test => WIRE_TESTS[test];

/** @throws InvalidInputError for a test this version does not know, or none */
export const testFromWire = (test: Test): TestName => nameOf(WIRE_TESTS, test, 'test');

/** Parameters as they travel; `parametersFromWire` gives them back unchanged. */
export function parametersToWire(parameters: DeParameters): DifferentialExpressionSpec {
  const optional = <K extends string, V>(key: K, value: V | null): Partial<Record<K, V>> =>
    value === null ? {} : ({ [key]: value } as Partial<Record<K, V>>);
  return create(DifferentialExpressionSpecSchema, {
    input: parameters.input,
    output: parameters.output,
    ...optional('perturbationColumn', parameters.perturbationColumn),
    ...optional('controlLabel', parameters.controlLabel),
    tests: parameters.tests.map(testToWire),
    perturbations: [...(parameters.perturbations ?? [])],
    ...optional('layer', parameters.layer),
    inputScale: parameters.inputScale === null ? InputScale.UNSPECIFIED : WIRE_SCALES[parameters.inputScale],
    minGenes: parameters.minGenes,
    minCellsPerPerturbation: parameters.minCellsPerPerturbation,
    minCellsPerGene: parameters.minCellsPerGene,
    sizeFactors: parameters.sizeFactors,
    scaleSizeFactors: parameters.scaleSizeFactors,
    sizeFactorScope: parameters.sizeFactorScope,
    ...optional('dispersion', parameters.dispersion),
    dispersionScope: parameters.dispersionScope,
    dispersionEstimator: parameters.dispersionEstimator,
    minMu: parameters.minMu,
    waldReference: parameters.waldReference,
    standardErrors: parameters.standardErrors,
    covariates: [...parameters.covariates],
    ...optional('batchColumn', parameters.batchColumn),
    batchWeights: parameters.batchWeights,
    reference: parameters.reference,
    cooks: parameters.cooks,
    cooksFilter: parameters.cooksFilter,
    shrinkPrior: parameters.shrinkPrior,
    rankPrecision: parameters.rankPrecision,
    minCellsExpressed: parameters.minCellsExpressed,
    minTotalCount: parameters.minTotalCount,
    minNonzero: parameters.minNonzero,
    lowExpressionFilter: parameters.lowExpressionFilter,
    preset: parameters.preset ?? '',
    nbTest: WIRE_NB_TESTS[parameters.nbTest],
    shrink: WIRE_SHRINKAGES[parameters.shrink],
    tTest: WIRE_T_TESTS[parameters.tTest],
    correction: WIRE_CORRECTIONS[parameters.correction],
    tieCorrect: parameters.tieCorrect,
    continuity: parameters.continuity,
    alpha: parameters.alpha,
    formats: parameters.formats.map((format) => WIRE_FORMATS[format]),
    scanpy: parameters.scanpy,
    layers: WIRE_LAYERS[parameters.layers],
    ...optional('scratch', parameters.scratch),
  });
}

/**
 * Parameters as they arrived, with the defaults of what is absent. Whether the column or the label exists is for the
 * planner to say, who opens the file.
 *
 * @throws InvalidInputError naming the first field that cannot be
 */
export function parametersFromWire(spec: DifferentialExpressionSpec): DeParameters {
  const defaults = DEFAULT_DE_PARAMETERS;
  if (spec.input === '') throw new InvalidInputError('the job names no input file', { hint: 'set spec.input' });
  if (spec.output === '') throw new InvalidInputError('the job names no output directory', { hint: 'set spec.output' });
  const word = <Choice extends string>(
    text: string,
    choices: readonly Choice[],
    field: string,
    otherwise: Choice,
  ): Choice => (text === '' ? otherwise : parseChoice(text, choices, field));
  const parameters: DeParameters = {
    input: spec.input,
    output: spec.output,
    perturbationColumn: spec.perturbationColumn ?? null,
    controlLabel: spec.controlLabel ?? null,
    tests: spec.tests.length === 0 ? TEST_NAMES : spec.tests.map(testFromWire),
    perturbations: spec.perturbations.length === 0 ? null : spec.perturbations,
    layer: spec.layer ?? null,
    inputScale: spec.inputScale === InputScale.UNSPECIFIED ? null : nameOf(WIRE_SCALES, spec.inputScale, 'input_scale'),
    minGenes: spec.minGenes,
    minCellsPerPerturbation: spec.minCellsPerPerturbation,
    minCellsPerGene: spec.minCellsPerGene,
    sizeFactors: spec.sizeFactors === '' ? defaults.sizeFactors : knownMethod(spec.sizeFactors),
    scaleSizeFactors: spec.scaleSizeFactors ?? defaults.scaleSizeFactors,
    sizeFactorScope: word(spec.sizeFactorScope, SIZE_FACTOR_SCOPES, 'size_factor_scope', defaults.sizeFactorScope),
    dispersionScope: word(spec.dispersionScope, DISPERSION_SCOPES, 'dispersion_scope', defaults.dispersionScope),
    dispersionEstimator: word(
      spec.dispersionEstimator,
      DISPERSION_ESTIMATORS,
      'dispersion_estimator',
      defaults.dispersionEstimator,
    ),
    minMu: spec.minMu === 0 ? 0 : positive(spec.minMu, 'min_mu', Infinity),
    waldReference: word(spec.waldReference, WALD_REFERENCES, 'wald_reference', defaults.waldReference),
    standardErrors: word(spec.standardErrors, STANDARD_ERRORS, 'standard_errors', defaults.standardErrors),
    covariates: spec.covariates,
    batchColumn: spec.batchColumn ?? null,
    batchWeights: word(spec.batchWeights, BATCH_WEIGHTS, 'batch_weights', defaults.batchWeights),
    reference: word(spec.reference, REFERENCES, 'reference', defaults.reference),
    cooks: spec.cooks,
    cooksFilter: spec.cooksFilter,
    shrinkPrior: word(spec.shrinkPrior, SHRINK_PRIORS, 'shrink_prior', defaults.shrinkPrior),
    rankPrecision: word(spec.rankPrecision, RANK_PRECISIONS, 'rank_precision', defaults.rankPrecision),
    minCellsExpressed: spec.minCellsExpressed,
    minTotalCount: spec.minTotalCount,
    minNonzero: spec.minNonzero,
    lowExpressionFilter: spec.lowExpressionFilter,
    preset: spec.preset === '' ? null : parseChoice(spec.preset, PRESETS, 'preset'),
    dispersion: spec.dispersion === undefined ? null : positive(spec.dispersion, 'dispersion', Infinity),
    nbTest: spec.nbTest === NbTest.UNSPECIFIED ? defaults.nbTest : nameOf(WIRE_NB_TESTS, spec.nbTest, 'nb_test'),
    shrink: spec.shrink === Shrinkage.UNSPECIFIED ? defaults.shrink : nameOf(WIRE_SHRINKAGES, spec.shrink, 'shrink'),
    tTest: spec.tTest === TTest.UNSPECIFIED ? defaults.tTest : nameOf(WIRE_T_TESTS, spec.tTest, 't_test'),
    correction:
      spec.correction === Correction.UNSPECIFIED
        ? defaults.correction
        : nameOf(WIRE_CORRECTIONS, spec.correction, 'correction'),
    tieCorrect: spec.tieCorrect ?? defaults.tieCorrect,
    continuity: spec.continuity,
    alpha: spec.alpha === undefined ? defaults.alpha : positive(spec.alpha, 'alpha', 1),
    formats:
      spec.formats.length === 0
        ? defaults.formats
        : spec.formats.map((format) => nameOf(WIRE_FORMATS, format, 'format')),
    scanpy: spec.scanpy,
    layers: spec.layers === LayerSet.UNSPECIFIED ? defaults.layers : nameOf(WIRE_LAYERS, spec.layers, 'layers'),
    scratch: spec.scratch ?? null,
  };
  requireCombination(parameters);
  return parameters;
}

function nameOf<K extends string>(table: Readonly<Record<K, number>>, value: number, field: string): K {
  for (const key of Object.keys(table) as K[]) if (table[key] === value) return key;
  throw new InvalidInputError(`${field} has the unknown value ${value}`, {
    hint: `use one of ${Object.keys(table).join(', ')}, or the same version of shardex on both sides`,
  });
}

function knownMethod(text: string): DeParameters['sizeFactors'] {
  const method = sizeFactorMethod(text);
  if (method !== null) return method;
  throw new InvalidInputError(`size factors cannot be "${text}"`, {
    hint: 'use total, sparse, ratio, poscounts, pydeseq2-poscounts or obs:NAME',
  });
}

function positive(value: number, field: string, below: number): number {
  if (value > 0 && value < below) return value;
  const range = below === Infinity ? 'a positive number' : `between 0 and ${below}`;
  throw new InvalidInputError(`${field} is ${value}`, { hint: `it must be ${range}` });
}
