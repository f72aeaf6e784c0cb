import { InvalidInputError } from '../errors/index.js';
import {
  fitIntercepts,
  isConverged,
  isEmptyArm,
  likelihoodRatios,
  type GroupMeasures,
  type Intercepts,
  type KernelHeap,
  type LikelihoodRatios,
  type NodeSet,
} from '../kernels/index.js';
import { GeneStatus } from './gene-status.js';
import { robustVariances } from './robust-variance.js';
import { log10StudentTwoSided, studentTwoSided } from './student-tail.js';

/** Intercept and fold change. */
const COEFFICIENTS = 2;

/** The control, fitted once at the final dispersions and compared with every perturbation. */
export interface FrozenControl {
  readonly measures: GroupMeasures;
  /** η₀, W₀ of every gene. */
  readonly fits: Intercepts;
  /** α per gene; f64 in the heap. */
  readonly dispersions: Float64Array;
  /** s_k; f64 in the heap. */
  readonly nodeSizeFactors: Float64Array;
  /** Huber–White's variances of η₀; null where they were not asked for. */
  readonly robust: Float64Array | null;
}

export interface NbFitOptions {
  /** `lrt`: likelihood-ratio test, calibrated also at low counts. `wald`: log2FoldChange over its standard error. */
  readonly test: 'lrt' | 'wald';
  /** Distribution of the Wald statistic: `t` has the cells of both arms − 2 degrees of freedom. Absent: `normal`. */
  readonly waldReference?: 'normal' | 't';
  /** Q of the perturbation, nGenes × K: asks for Huber–White standard errors, which the Wald test then uses. */
  readonly squares?: Float64Array | null;
  /** `GeneStatus.tested` where a gene is to be tested; the others keep their status and get NaN. Absent: all. */
  readonly geneStatus?: ArrayLike<number>;
}

/** One perturbation against the control; arrays of nGenes, outside the heap. */
export interface NbResult {
  /** (η_p − η₀)/ln 2. */
  readonly log2FoldChange: Float64Array;
  /** √(1/W_p + 1/W₀)/ln 2. */
  readonly standardErrorLog2: Float64Array;
  /** Huber–White's, for log2 too; NaN where an arm has no counts. null unless asked for. */
  readonly standardErrorRobustLog2: Float64Array | null;
  /** LRT: signed root of the statistic. Wald: log2FoldChange over its standard error, the robust one if there is one. */
  readonly zScore: Float64Array;
  /** Two-sided; 0 where it underflows. */
  readonly pValue: Float64Array;
  /** log10 of the p-value, finite also where `pValue` underflows. */
  readonly log10PValue: Float64Array;
  /** e^η: mean count of a perturbed cell with size factor 1; 0 without counts. */
  readonly meanPerturbed: Float64Array;
  /** The same of the control. */
  readonly meanControl: Float64Array;
  /** `GeneStatus` codes. */
  readonly status: Uint8Array;
  /** Newton iterations of the perturbed arm. */
  readonly iterations: Uint8Array;
  /** 1 where every fit that the gene's numbers rest on converged. */
  readonly converged: Uint8Array;
}

/**
 * Fits the control at the final dispersions. Because without covariates the likelihood separates by group, this is also
 * the control's part of the joint fit with any perturbation.
 *
 * @param dispersions - α per gene, finite and not negative
 * @param squares - Q of the control, for Huber–White standard errors
 * @returns arrays in the heap; they live until the heap is released below them
 * @throws InvalidInputError for a dispersion that is negative or not finite
 */
export function freezeControl(
  heap: KernelHeap,
  nodes: NodeSet,
  measures: GroupMeasures,
  dispersions: ArrayLike<number>,
  squares: Float64Array | null = null,
): FrozenControl {
  const copy = heap.copyF64(dispersions);
  const bad = copy.findIndex((alpha) => !(alpha >= 0 && alpha < Infinity));
  if (bad >= 0) {
    throw new InvalidInputError('a dispersion is negative or not a number', {
      hint: 'give a dispersion of 0 or more',
      details: { gene: bad, dispersion: copy[bad] },
    });
  }
  const nodeSizeFactors = heap.copyF64(nodes.sizeFactors);
  const fits = fitIntercepts(heap, nodeSizeFactors, measures, copy);
  const robust = squares && robustVariances(measures, squares, fits, nodeSizeFactors, copy);
  return { measures, fits, dispersions: copy, nodeSizeFactors, robust };
}

/**
 * Tests every gene of one perturbation against the frozen control.
 *
 * An arm without counts is tested by the LRT with its exact likelihood; its fold change and standard error come from
 * Firth's bias-reduced estimate and the Fisher information there, and the status says so. Wald has no p-value there.
 *
 * @param heap - used for scratch only, and left as it was
 * @param perturbation - measures with the nodes of the control; in the heap
 */
export function fitPerturbation(
  heap: KernelHeap,
  control: FrozenControl,
  perturbation: GroupMeasures,
  options: NbFitOptions,
): NbResult {
  const { squares = null } = options;
  const result = emptyNbResult(perturbation.nGenes, squares !== null && control.robust !== null);
  if (perturbation.nCells === 0 || control.measures.nCells === 0) {
    result.status.fill(GeneStatus.tooFewCells);
    return result;
  }
  const isT = options.test === 'wald' && options.waldReference === 't';
  const degrees = isT ? control.measures.nCells + perturbation.nCells - COEFFICIENTS : Infinity;
  heap.scoped(() => {
    const { nodeSizeFactors, dispersions } = control;
    const fits = fitIntercepts(heap, nodeSizeFactors, perturbation, dispersions);
    const ratios =
      options.test === 'lrt'
        ? likelihoodRatios(heap, nodeSizeFactors, dispersions, control, { measures: perturbation, fits })
        : null;
    const robust = squares && robustVariances(perturbation, squares, fits, nodeSizeFactors, dispersions);
    const pair = { control: control.fits, perturbation: fits, ratios, degrees };
    for (let gene = 0; gene < perturbation.nGenes; gene++) {
      result.status[gene] = options.geneStatus?.[gene] ?? GeneStatus.tested;
      if (result.status[gene] !== GeneStatus.tested) continue;
      if (result.standardErrorRobustLog2 !== null && robust !== null && control.robust !== null) {
        result.standardErrorRobustLog2[gene] = Math.sqrt(robust[gene] + control.robust[gene]) / Math.LN2;
      }
      fillGene(result, gene, pair);
    }
  });
  return result;
}

/** A result of which nothing is known yet: NaN and zeros. */
export const emptyNbResult = (nGenes: number, withRobust: boolean): NbResult => {
  const missing = (): Float64Array => new Float64Array(nGenes).fill(NaN);
  return {
    log2FoldChange: missing(),
    standardErrorLog2: missing(),
    standardErrorRobustLog2: withRobust ? missing() : null,
    zScore: missing(),
    pValue: missing(),
    log10PValue: missing(),
    meanPerturbed: missing(),
    meanControl: missing(),
    status: new Uint8Array(nGenes),
    iterations: new Uint8Array(nGenes),
    converged: new Uint8Array(nGenes),
  };
};

/** Fits of both arms, and what the test needs beside them. */
interface FittedPair {
  readonly control: Intercepts;
  readonly perturbation: Intercepts;
  /** null: Wald. */
  readonly ratios: LikelihoodRatios | null;
  /** Of Student's t; infinite for the normal distribution. */
  readonly degrees: number;
}

function fillGene(result: NbResult, gene: number, { control, perturbation, ratios, degrees }: FittedPair): void {
  const controlEmpty = isEmptyArm(control.flags[gene]);
  const perturbationEmpty = isEmptyArm(perturbation.flags[gene]);
  result.meanControl[gene] = controlEmpty ? 0 : control.mean[gene];
  result.meanPerturbed[gene] = perturbationEmpty ? 0 : perturbation.mean[gene];
  if (controlEmpty && perturbationEmpty) {
    result.status[gene] = GeneStatus.allZero;
    return;
  }
  const log2FoldChange = (perturbation.eta[gene] - control.eta[gene]) / Math.LN2;
  const standardError = Math.sqrt(1 / perturbation.fisher[gene] + 1 / control.fisher[gene]) / Math.LN2;
  result.log2FoldChange[gene] = log2FoldChange;
  result.standardErrorLog2[gene] = standardError;
  result.iterations[gene] = perturbation.iterations[gene];

  const oneEmpty = controlEmpty || perturbationEmpty;
  let zScore = NaN;
  if (ratios !== null) zScore = Math.sign(log2FoldChange) * Math.sqrt(Math.max(ratios.statistic[gene], 0));
  else if (!oneEmpty) zScore = log2FoldChange / (result.standardErrorRobustLog2?.[gene] ?? standardError);
  result.zScore[gene] = zScore;
  result.pValue[gene] = studentTwoSided(zScore, degrees);
  result.log10PValue[gene] = log10StudentTwoSided(zScore, degrees);

  const converged =
    isConverged(control.flags[gene]) &&
    isConverged(perturbation.flags[gene]) &&
    (ratios === null || ratios.pooledConverged[gene] === 1);
  result.converged[gene] = converged ? 1 : 0;
  if (!converged) result.status[gene] = GeneStatus.notConverged;
  else if (perturbationEmpty) result.status[gene] = GeneStatus.emptyPerturbedArm;
  else if (controlEmpty) result.status[gene] = GeneStatus.emptyControlArm;
}
