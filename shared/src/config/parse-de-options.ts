import { InvalidInputError } from '../errors/index.js';
import { requireCombination } from './combinations.js';
import {
  BATCH_WEIGHTS,
  CORRECTIONS,
  DEFAULT_DE_PARAMETERS,
  DISPERSION_ESTIMATORS,
  DISPERSION_SCOPES,
  NB_TESTS,
  OUTPUT_FORMATS,
  PRESETS,
  RANK_PRECISIONS,
  REFERENCES,
  SHRINKAGES,
  SHRINK_PRIORS,
  SIZE_FACTOR_SCOPES,
  STANDARD_ERRORS,
  T_TEST_VARIANTS,
  TEST_NAMES,
  WALD_REFERENCES,
  type DeParameters,
  type SizeFactorMethod,
  type TestName,
} from './de-parameters.js';
import { formatMemorySize, LEAST_WORKER_BYTES, parseMemorySize } from './memory-size.js';
import { parseChoice, parseList, parseName, parseNumber, parseWholeNumber } from './option-values.js';
import { PRESET_PARAMETERS } from './presets.js';
import { sizeFactorMethod } from './size-factor-method.js';

/** The options of `shardex de` as they were typed; absent ones take the default. */
export interface DeFlags {
  readonly out?: string | undefined;
  readonly perturbationColumn?: string | undefined;
  readonly controlLabel?: string | undefined;
  readonly tests?: string | undefined;
  readonly perturbations?: string | undefined;
  readonly layer?: string | undefined;
  readonly inputScale?: string | undefined;
  readonly minGenes?: string | undefined;
  readonly minCellsPerPerturbation?: string | undefined;
  readonly minCellsPerGene?: string | undefined;
  readonly minCellsExpressed?: string | undefined;
  readonly minTotalCount?: string | undefined;
  readonly minNonzero?: string | undefined;
  readonly lowExpressionFilter?: boolean | undefined;
  readonly sizeFactors?: string | undefined;
  readonly scaleSizeFactors?: boolean | undefined;
  readonly sizeFactorScope?: string | undefined;
  readonly dispersion?: string | undefined;
  readonly dispersionScope?: string | undefined;
  readonly dispersionEstimator?: string | undefined;
  readonly minMu?: string | undefined;
  readonly nbTest?: string | undefined;
  readonly waldReference?: string | undefined;
  readonly se?: string | undefined;
  readonly covariates?: string | undefined;
  readonly batchColumn?: string | undefined;
  readonly batchWeights?: string | undefined;
  readonly reference?: string | undefined;
  readonly cooks?: boolean | undefined;
  readonly cooksFilter?: boolean | undefined;
  readonly shrink?: string | undefined;
  readonly shrinkPrior?: string | undefined;
  readonly tTest?: string | undefined;
  readonly correction?: string | undefined;
  readonly tieCorrect?: boolean | undefined;
  readonly continuity?: boolean | undefined;
  readonly rankPrecision?: string | undefined;
  readonly alpha?: string | undefined;
  readonly format?: string | undefined;
  readonly scanpy?: boolean | undefined;
  readonly layers?: string | undefined;
  readonly preset?: string | undefined;
  readonly scratch?: string | undefined;
}

/** The options that say how to run, not what to compute: they change no byte of the results. */
export interface RunFlags {
  readonly workers?: string | undefined;
  readonly memory?: string | undefined;
  readonly coordinator?: string | undefined;
  readonly force?: boolean | undefined;
  readonly resume?: boolean | undefined;
}

/** What to do about results that are in the output folder already. */
export type ExistingOutputChoice = 'refuse' | 'force' | 'resume';

export interface RunOptions {
  /** null: as many as there are usable cores. */
  readonly workers: number | null;
  /** Of each worker; null: a share of the machine's. */
  readonly memoryBytes: number | null;
  /** HOST:PORT of a running coordinator; null: run an embedded cluster. */
  readonly coordinator: string | null;
  readonly existingOutput: ExistingOutputChoice;
}

/** More processes than this on one machine is a slip of the keyboard. */
const MAX_WORKERS = 1024;

/** @throws InvalidInputError for what is no method */
function parseSizeFactors(text: string): SizeFactorMethod {
  const method = sizeFactorMethod(text.trim());
  if (method !== null) return method;
  throw new InvalidInputError(`--size-factors: "${text}" is not a way to get size factors`, {
    hint: 'valid are "total", "sparse", "ratio", "poscounts", "pydeseq2-poscounts" and "obs:NAME", where NAME is a column of obs',
  });
}

function parseDispersion(text: string): number {
  const value = parseNumber(text, '--dispersion');
  if (value > 0) return value;
  throw new InvalidInputError(`--dispersion ${text} is not a positive number`, {
    hint: 'give one above 0 (1e-8 is Poisson noise), or leave the option out to estimate it for each gene',
  });
}

function parseMinMu(text: string): number {
  const value = parseNumber(text, '--min-mu');
  if (value >= 0) return value;
  throw new InvalidInputError(`--min-mu ${text} is negative`, {
    hint: 'give 0 for the maximum of the likelihood, or 0.5 as PyDESeq2 has it',
  });
}

/** @throws InvalidInputError for terms that are no column names: the model is additive */
function parseCovariates(text: string): readonly string[] {
  const names = parseList(text, '--covariates');
  const term = names.find((name) => /[:*]/.test(name));
  if (term === undefined) return names;
  throw new InvalidInputError(`--covariates: "${term}" looks like an interaction, and the model has none`, {
    hint: 'make a column of obs with the combined levels and name that, or test the levels in separate runs',
  });
}

function parseAlpha(text: string): number {
  const value = parseNumber(text, '--alpha');
  if (value > 0 && value < 1) return value;
  throw new InvalidInputError(`--alpha ${text} is not between 0 and 1`, { hint: 'give a significance level, as 0.05' });
}

function parseWorkerMemory(text: string): number {
  const bytes = parseMemorySize(text);
  if (bytes >= LEAST_WORKER_BYTES) return bytes;
  throw new InvalidInputError(`--memory ${text} is less than a worker needs`, {
    hint: `give each at least ${formatMemorySize(LEAST_WORKER_BYTES)}, as 1GiB, with fewer --workers if need be`,
  });
}

/** In the canonical order, so that the order of typing changes nothing. */
function inOrder<Name extends string>(names: readonly Name[], all: readonly Name[]): Name[] {
  return all.filter((name) => names.includes(name));
}

function parseTests(flags: DeFlags, defaults: readonly TestName[]): readonly TestName[] {
  const isLog1p = flags.inputScale === 'log1p';
  if (flags.tests === undefined) return isLog1p ? defaults.filter((test) => test !== 'nb-glm') : defaults;
  const tests = parseList(flags.tests, '--tests').map((name) => parseChoice(name, TEST_NAMES, '--tests', 'test'));
  if (isLog1p && tests.includes('nb-glm')) {
    throw new InvalidInputError('--tests nb-glm needs counts, but --input-scale says log1p', {
      hint: 'choose --tests wilcoxon,t-test, or name the layer that holds counts with --layer',
    });
  }
  return inOrder(tests, TEST_NAMES);
}

/**
 * Validated parameters of a run from what was typed. Pure: paths are taken as they are, no file is looked at.
 *
 * With `--input-scale log1p` and no `--tests`, the tests are Wilcoxon and t: a negative binomial needs counts.
 *
 * @param input - the FILE argument
 * @throws InvalidInputError one sentence on the first option that is wrong
 */
export function parseDeOptions(input: string, flags: DeFlags): DeParameters {
  const preset = flags.preset === undefined ? null : parseChoice(flags.preset, PRESETS, '--preset', 'preset');
  const defaults = { ...DEFAULT_DE_PARAMETERS, ...(preset === null ? {} : PRESET_PARAMETERS[preset]) };
  const given = <Value>(text: string | undefined, parse: (text: string) => Value, otherwise: Value): Value =>
    text === undefined ? otherwise : parse(text);
  const count = (source: string) => (text: string) => parseWholeNumber(text, source);
  const name = (source: string) => (text: string) => parseName(text, source);
  const oneOf =
    <Choice extends string>(choices: readonly Choice[], source: string, what?: string) =>
    (text: string): Choice =>
      parseChoice(text, choices, source, what);
  if (input.trim() === '') throw new InvalidInputError('FILE is empty', { hint: 'name an h5ad file' });
  if (flags.out === undefined || flags.out.trim() === '') {
    throw new InvalidInputError('there is no folder for the results', { hint: 'name one with --out DIR' });
  }
  // What a preset says of counts has no meaning on the log scale.
  const forCounts = flags.inputScale === 'log1p' ? DEFAULT_DE_PARAMETERS : defaults;
  // A dispersion that is given needs no estimator, not even a preset's.
  const estimation = flags.dispersion === undefined ? defaults : DEFAULT_DE_PARAMETERS;
  const parameters: DeParameters = {
    input,
    output: flags.out,
    perturbationColumn: given(flags.perturbationColumn, name('--perturbation-column'), defaults.perturbationColumn),
    controlLabel: given(flags.controlLabel, name('--control-label'), defaults.controlLabel),
    tests: parseTests(flags, defaults.tests),
    perturbations: given(flags.perturbations, (text) => parseList(text, '--perturbations'), defaults.perturbations),
    layer: given(flags.layer, name('--layer'), defaults.layer),
    inputScale: given(
      flags.inputScale,
      oneOf(['counts', 'log1p'] as const, '--input-scale', 'scale'),
      defaults.inputScale,
    ),
    minGenes: given(flags.minGenes, count('--min-genes'), defaults.minGenes),
    minCellsPerPerturbation: given(
      flags.minCellsPerPerturbation,
      count('--min-cells-per-perturbation'),
      defaults.minCellsPerPerturbation,
    ),
    minCellsPerGene: given(flags.minCellsPerGene, count('--min-cells-per-gene'), defaults.minCellsPerGene),
    minCellsExpressed: given(flags.minCellsExpressed, count('--min-cells-expressed'), defaults.minCellsExpressed),
    minTotalCount: given(flags.minTotalCount, count('--min-total-count'), forCounts.minTotalCount),
    minNonzero: given(flags.minNonzero, count('--min-nonzero'), defaults.minNonzero),
    lowExpressionFilter: flags.lowExpressionFilter ?? defaults.lowExpressionFilter,
    sizeFactors: given(flags.sizeFactors, parseSizeFactors, forCounts.sizeFactors),
    scaleSizeFactors: flags.scaleSizeFactors ?? defaults.scaleSizeFactors,
    dispersion: given(flags.dispersion, parseDispersion, defaults.dispersion),
    sizeFactorScope: given(
      flags.sizeFactorScope,
      oneOf(SIZE_FACTOR_SCOPES, '--size-factor-scope', 'scope'),
      defaults.sizeFactorScope,
    ),
    dispersionScope: given(
      flags.dispersionScope,
      oneOf(DISPERSION_SCOPES, '--dispersion-scope', 'scope'),
      estimation.dispersionScope,
    ),
    dispersionEstimator: given(
      flags.dispersionEstimator,
      oneOf(DISPERSION_ESTIMATORS, '--dispersion-estimator', 'estimator'),
      estimation.dispersionEstimator,
    ),
    minMu: given(flags.minMu, parseMinMu, defaults.minMu),
    nbTest: given(flags.nbTest, oneOf(NB_TESTS, '--nb-test', 'test'), defaults.nbTest),
    waldReference: given(
      flags.waldReference,
      oneOf(WALD_REFERENCES, '--wald-reference', 'distribution'),
      defaults.waldReference,
    ),
    standardErrors: given(flags.se, oneOf(STANDARD_ERRORS, '--se', 'kind'), defaults.standardErrors),
    covariates: given(flags.covariates, parseCovariates, defaults.covariates),
    batchColumn: given(flags.batchColumn, name('--batch-column'), defaults.batchColumn),
    batchWeights: given(flags.batchWeights, oneOf(BATCH_WEIGHTS, '--batch-weights', 'weights'), defaults.batchWeights),
    reference: given(flags.reference, oneOf(REFERENCES, '--reference', 'reference'), defaults.reference),
    cooks: flags.cooks ?? defaults.cooks,
    cooksFilter: flags.cooksFilter ?? defaults.cooksFilter,
    tieCorrect: flags.tieCorrect ?? defaults.tieCorrect,
    continuity: flags.continuity ?? defaults.continuity,
    rankPrecision: given(
      flags.rankPrecision,
      oneOf(RANK_PRECISIONS, '--rank-precision', 'precision'),
      defaults.rankPrecision,
    ),
    shrink: given(flags.shrink, oneOf(SHRINKAGES, '--shrink', 'shrinkage'), defaults.shrink),
    shrinkPrior: given(flags.shrinkPrior, oneOf(SHRINK_PRIORS, '--shrink-prior', 'scope'), defaults.shrinkPrior),
    tTest: given(flags.tTest, oneOf(T_TEST_VARIANTS, '--t-test', 'variant'), defaults.tTest),
    correction: given(flags.correction, oneOf(CORRECTIONS, '--correction', 'correction'), defaults.correction),
    alpha: given(flags.alpha, parseAlpha, defaults.alpha),
    formats: given(
      flags.format,
      (text) =>
        inOrder(
          parseList(text, '--format').map((entry) => parseChoice(entry, OUTPUT_FORMATS, '--format', 'format')),
          OUTPUT_FORMATS,
        ),
      defaults.formats,
    ),
    scanpy: flags.scanpy ?? defaults.scanpy,
    layers: given(flags.layers, oneOf(['default', 'crispyx'] as const, '--layers', 'set of layers'), defaults.layers),
    preset,
    scratch: given(flags.scratch, name('--scratch'), defaults.scratch),
  };
  requireCombination(parameters);
  return parameters;
}

/** `HOST:PORT`, IPv6 hosts in brackets. @throws InvalidInputError otherwise */
export function parseAddress(text: string, source: string): string {
  const match = /^(\[[0-9a-f:.]+\]|[^\s:/[\]]+):(\d{1,5})$/i.exec(text.trim());
  const port = match === null ? 0 : Number(match[2]);
  if (match === null || port < 1 || port > 65_535) {
    throw new InvalidInputError(`${source} "${text}" is not an address`, {
      hint: 'write HOST:PORT, as 127.0.0.1:7070',
    });
  }
  return text.trim();
}

/** How to run, from what was typed. @throws InvalidInputError one sentence on the first option that is wrong */
export function parseRunOptions(flags: RunFlags): RunOptions {
  if (flags.force === true && flags.resume === true) {
    throw new InvalidInputError('--force and --resume contradict each other', {
      hint: 'choose --force to replace existing results or --resume to finish an interrupted run',
    });
  }
  if (flags.coordinator !== undefined && (flags.workers !== undefined || flags.memory !== undefined)) {
    const option = flags.workers === undefined ? '--memory' : '--workers';
    throw new InvalidInputError(`${option} has no meaning with --coordinator`, {
      hint: 'a running cluster has its own workers; leave one of the two out',
    });
  }
  return {
    workers: flags.workers === undefined ? null : parseWholeNumber(flags.workers, '--workers', 1, MAX_WORKERS),
    memoryBytes: flags.memory === undefined ? null : parseWorkerMemory(flags.memory),
    coordinator: flags.coordinator === undefined ? null : parseAddress(flags.coordinator, '--coordinator'),
    existingOutput: flags.force === true ? 'force' : flags.resume === true ? 'resume' : 'refuse',
  };
}
