import { describe, expect, it } from 'vitest';
import { InvalidInputError } from '../errors/index.js';
import { DEFAULT_DE_PARAMETERS, PRESETS } from './de-parameters.js';
import { parseAddress, parseDeOptions, parseRunOptions, type DeFlags, type RunFlags } from './parse-de-options.js';
import { PRESET_PARAMETERS } from './presets.js';

const sentenceOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof InvalidInputError) return error.sentence;
    throw error;
  }
  return 'nothing was refused';
};

/** Options that read one word each, beside those whose reading is told apart below. */
const OTHER_CHOICES: DeFlags = {
  waldReference: 't',
  se: 'robust',
  reference: 'other-perturbed',
  shrinkPrior: 'global',
  rankPrecision: 'float32',
  minCellsExpressed: '3',
  minTotalCount: '5',
  minNonzero: '7',
  lowExpressionFilter: true,
};

describe('options of de', () => {
  it('gives every default when only the paths are named', () => {
    expect(parseDeOptions('screen.h5ad', { out: 'results' })).toEqual({
      ...DEFAULT_DE_PARAMETERS,
      input: 'screen.h5ad',
      output: 'results',
    });
  });

  it('reads every option', () => {
    expect(
      parseDeOptions('screen.h5ad', {
        out: 'results',
        perturbationColumn: 'gene',
        controlLabel: 'NTC',
        tests: 't-test, nb_glm',
        perturbations: 'STAT1,IRF1,STAT1',
        layer: 'counts',
        inputScale: 'counts',
        minGenes: '200',
        minCellsPerPerturbation: '10',
        minCellsPerGene: '3',
        sizeFactors: 'obs:depth',
        scaleSizeFactors: false,
        dispersion: '1e-1',
        nbTest: 'wald',
        tieCorrect: false,
        continuity: true,
        tTest: 'student',
        correction: 'bonferroni',
        shrink: 'apeglm',
        ...OTHER_CHOICES,
        alpha: '0.1',
        format: 'parquet,h5ad',
        scanpy: true,
        layers: 'crispyx',
        scratch: '/scratch',
      }),
    ).toEqual({
      ...DEFAULT_DE_PARAMETERS,
      input: 'screen.h5ad',
      output: 'results',
      sizeFactorScope: 'global',
      dispersionScope: 'global',
      dispersionEstimator: 'map',
      waldReference: 't',
      standardErrors: 'robust',
      reference: 'other-perturbed',
      shrinkPrior: 'global',
      rankPrecision: 'float32',
      minCellsExpressed: 3,
      minTotalCount: 5,
      minNonzero: 7,
      lowExpressionFilter: true,
      perturbationColumn: 'gene',
      controlLabel: 'NTC',
      tests: ['nb-glm', 't-test'],
      perturbations: ['STAT1', 'IRF1'],
      layer: 'counts',
      inputScale: 'counts',
      minGenes: 200,
      minCellsPerPerturbation: 10,
      minCellsPerGene: 3,
      sizeFactors: 'obs:depth',
      scaleSizeFactors: false,
      dispersion: 0.1,
      nbTest: 'wald',
      tieCorrect: false,
      continuity: true,
      tTest: 'student',
      correction: 'bonferroni',
      shrink: 'apeglm',
      alpha: 0.1,
      formats: ['h5ad', 'parquet'],
      scanpy: true,
      layers: 'crispyx',
      scratch: '/scratch',
    });
  });

  it('leaves out what a preset says of choices that are made otherwise', () => {
    const given = parseDeOptions('f', { out: 'o', preset: 'crispyx', dispersion: '0.2' });
    expect([given.dispersion, given.dispersionEstimator]).toEqual([0.2, 'map']);
    expect(parseDeOptions('f', { out: 'o', preset: 'crispyx', inputScale: 'log1p' }).sizeFactors).toBe('total');
  });

  it('reads the design of the NB-GLM and its dispersions', () => {
    const flags: DeFlags = {
      out: 'o',
      covariates: 'log_total, percent_mito',
      batchColumn: 'batch',
      batchWeights: 'unit',
      sizeFactorScope: 'per-comparison',
      dispersionScope: 'per_comparison',
      dispersionEstimator: 'gene-wise',
      minMu: '0.5',
      cooks: true,
      cooksFilter: true,
    };
    expect(parseDeOptions('f', flags)).toEqual({
      ...DEFAULT_DE_PARAMETERS,
      input: 'f',
      output: 'o',
      covariates: ['log_total', 'percent_mito'],
      batchColumn: 'batch',
      batchWeights: 'unit',
      sizeFactorScope: 'per-comparison',
      dispersionScope: 'per-comparison',
      dispersionEstimator: 'gene-wise',
      minMu: 0.5,
      cooks: true,
      cooksFilter: true,
    });
  });

  it.each(PRESETS)('starts from the defaults of %s, which options override', (preset) => {
    const parameters = parseDeOptions('f', { out: 'o', preset });
    expect(parameters).toEqual({
      ...DEFAULT_DE_PARAMETERS,
      ...PRESET_PARAMETERS[preset],
      input: 'f',
      output: 'o',
      preset,
    });
    expect(parseDeOptions('f', { out: 'o', preset, tests: 't-test', reference: 'control' })).toEqual({
      ...parameters,
      tests: ['t-test'],
      reference: 'control',
    });
  });

  it('leaves the negative binomial out of the default tests when the input is log1p', () => {
    expect(parseDeOptions('f', { out: 'o', inputScale: 'log1p' }).tests).toEqual(['wilcoxon', 't-test']);
  });

  it.each<[DeFlags, string]>([
    [
      { covariates: 'batch,batch:sex' },
      '--covariates: "batch:sex" looks like an interaction, and the model has none: make a column of obs with the combined levels and name that, or test the levels in separate runs',
    ],
    [
      { minMu: '-0.5' },
      '--min-mu -0.5 is negative: give 0 for the maximum of the likelihood, or 0.5 as PyDESeq2 has it',
    ],
    [
      { preset: 'scanyp' },
      '--preset: unknown preset "scanyp": did you mean "scanpy"? valid are "crispyx", "pydeseq2" and "scanpy"',
    ],
    [
      { batchColumn: 'batch', continuity: true },
      '--continuity has no definition for a stratified Wilcoxon test: leave out --continuity or --batch-column',
    ],
    [
      { dispersion: '0.1', dispersionScope: 'control' },
      '--dispersion fixes the dispersions, but --dispersion-scope says what to estimate them from: leave out one of the two',
    ],
    [
      { sizeFactorScope: 'per-comparison' },
      'dispersions over the whole screen need size factors over the whole screen: add --dispersion-scope per-comparison, or leave out --size-factor-scope per-comparison',
    ],
    [
      { tests: 'nb-glm,wilcoxn' },
      '--tests: unknown test "wilcoxn": did you mean "wilcoxon"? valid are "nb-glm", "wilcoxon" and "t-test"',
    ],
    [{ tests: '' }, '--tests is an empty list: name at least one, or leave the option out'],
    [{ tests: 'nb-glm,,t-test' }, '--tests "nb-glm,,t-test" has an empty entry: separate names by single commas'],
    [
      { tests: 'nb-glm', inputScale: 'log1p' },
      '--tests nb-glm needs counts, but --input-scale says log1p: choose --tests wilcoxon,t-test, or name the layer that holds counts with --layer',
    ],
    [{ perturbations: ' , ' }, '--perturbations is an empty list: name at least one, or leave the option out'],
    [{ perturbationColumn: ' ' }, '--perturbation-column is empty: give a name, or leave the option out'],
    [{ inputScale: 'log2' }, '--input-scale: unknown scale "log2": valid are "counts" and "log1p"'],
    [{ minGenes: '1.5' }, '--min-genes "1.5" is not a whole number of at least 0: give one, as 1'],
    [{ minGenes: '-1' }, '--min-genes "-1" is not a whole number of at least 0: give one, as 1'],
    [
      { minCellsPerPerturbation: 'ten' },
      '--min-cells-per-perturbation "ten" is not a whole number of at least 0: give one, as 1',
    ],
    [{ minCellsPerGene: '' }, '--min-cells-per-gene "" is not a whole number of at least 0: give one, as 1'],
    [
      { sizeFactors: 'median' },
      '--size-factors: "median" is not a way to get size factors: valid are "total", "sparse", "ratio", "poscounts", "pydeseq2-poscounts" and "obs:NAME", where NAME is a column of obs',
    ],
    [
      { sizeFactors: 'obs:' },
      '--size-factors: "obs:" is not a way to get size factors: valid are "total", "sparse", "ratio", "poscounts", "pydeseq2-poscounts" and "obs:NAME", where NAME is a column of obs',
    ],
    [
      { dispersion: '-0.1' },
      '--dispersion -0.1 is not a positive number: give one above 0 (1e-8 is Poisson noise), or leave the option out to estimate it for each gene',
    ],
    [{ dispersion: 'Infinity' }, '--dispersion "Infinity" is not a number: write it in digits, as 0.05'],
    [{ nbTest: 'score' }, '--nb-test: unknown test "score": valid are "lrt" and "wald"'],
    [{ alpha: '0' }, '--alpha 0 is not between 0 and 1: give a significance level, as 0.05'],
    [{ alpha: '1' }, '--alpha 1 is not between 0 and 1: give a significance level, as 0.05'],
    [{ alpha: 'five' }, '--alpha "five" is not a number: write it in digits, as 0.05'],
    [
      { format: 'h5ad,tsv' },
      '--format: unknown format "tsv": did you mean "csv"? valid are "h5ad", "csv" and "parquet"',
    ],
    [{ layers: 'all' }, '--layers: unknown set of layers "all": valid are "default" and "crispyx"'],
    [{ out: '' }, 'there is no folder for the results: name one with --out DIR'],
  ])('refuses %j', (flags, sentence) => {
    expect(sentenceOf(() => parseDeOptions('screen.h5ad', { out: 'results', ...flags }))).toBe(sentence);
  });
});

describe('options of a run', () => {
  it('leaves workers and memory open and refuses existing output by default', () => {
    expect(parseRunOptions({})).toEqual({
      workers: null,
      memoryBytes: null,
      coordinator: null,
      existingOutput: 'refuse',
    });
  });

  it('reads workers, memory and what to do with existing output', () => {
    expect(parseRunOptions({ workers: '4', memory: '2GiB', resume: true })).toEqual({
      workers: 4,
      memoryBytes: 2 ** 31,
      coordinator: null,
      existingOutput: 'resume',
    });
    expect(parseRunOptions({ coordinator: 'node-1:7070', force: true }).existingOutput).toBe('force');
  });

  it.each<[RunFlags, string]>([
    [{ workers: '0' }, '--workers "0" is not a whole number from 1 to 1024: give one, as 1'],
    [{ workers: 'many' }, '--workers "many" is not a whole number from 1 to 1024: give one, as 1'],
    [{ workers: '2.5' }, '--workers "2.5" is not a whole number from 1 to 1024: give one, as 1'],
    [
      { memory: '4 potatoes' },
      '--memory "4 potatoes" is not a memory size: write a number and a unit, as 4GiB or 512MB',
    ],
    [
      { force: true, resume: true },
      '--force and --resume contradict each other: choose --force to replace existing results or --resume to finish an interrupted run',
    ],
    [
      { coordinator: 'a:1', workers: '2' },
      '--workers has no meaning with --coordinator: a running cluster has its own workers; leave one of the two out',
    ],
    [{ coordinator: 'localhost' }, '--coordinator "localhost" is not an address: write HOST:PORT, as 127.0.0.1:7070'],
  ])('refuses %j', (flags, sentence) => {
    expect(sentenceOf(() => parseRunOptions(flags))).toBe(sentence);
  });

  it.each(['127.0.0.1:7070', '[::1]:7070', 'shardex.default.svc:80'])('takes %s as an address', (address) => {
    expect(parseAddress(address, '--coordinator')).toBe(address);
  });

  it.each(['a:0', 'a:65536', ':7070', 'a b:1', '::1:7070', 'http://a:1'])('refuses %s as an address', (address) => {
    expect(() => parseAddress(address, '--coordinator')).toThrow('is not an address');
  });
});
