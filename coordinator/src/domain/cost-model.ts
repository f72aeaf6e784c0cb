import { TEST_OUTPUTS, resultLayers, type StageName } from '@shardex/shared/artifacts';
import type { DeParameters } from '@shardex/shared/config';

/** The sizes a job's cost depends on. */
export interface JobSize {
  readonly inputBytes: number;
  readonly nonzeros: number;
  readonly cells: number;
  readonly genes: number;
  /** Groups with the control. */
  readonly groups: number;
  /** Share of the cells that perturbations are compared with: the control's, or all. */
  readonly poolShare: number;
}

/** Bytes and core-seconds of one stage. */
export interface StageCost {
  readonly bytesRead: number;
  readonly coreSeconds: number;
}

/** Encoded bytes of a nonzero on scratch: a gap and a count of one byte each, escapes now and then. */
const SCRATCH_BYTES_PER_NONZERO = 2.2;

/**
 * Core-seconds per unit on the machine of docs/benchmarks.md (2 cores, Node 20), from `npm run bench`. They are for estimates
 * shown to people; nothing else depends on them.
 */
const NANOSECONDS = {
  scanNonzero: 32,
  ratiosNonzero: 20,
  controlNonzero: 60,
  dispersionNonzero: 12,
  dispersionPair: 2100,
  fitNonzero: 45,
  fitPair: 1200,
  shrinkPriorPair: 500,
  shrinkNonzero: 25,
  shrinkPair: 1000,
  mergeByte: 4,
  trendGene: 60_000,
} as const;

/** Times the fold changes and standard errors of a screen are read to estimate the scale of one prior for all. */
const SEARCH_PASSES = 10;

const DTYPE_BYTES = { f32: 4, f64: 8, u8: 1, i32: 4 } as const;

/** Bytes of one test's h5ad file, without its small parts. */
export function testFileBytes(
  parameters: DeParameters,
  test: DeParameters['tests'][number],
  size: Pick<JobSize, 'groups' | 'genes'>,
): number {
  const perPair = resultLayers(test, parameters).reduce((sum, layer) => sum + DTYPE_BYTES[layer.dtype], 0);
  return perPair * (size.groups - 1) * size.genes;
}

/** What a control task leaves: sorted columns of the control, or U and z of every group against all other cells. */
const frozenBytes = ({ reference }: DeParameters, size: JobSize): number =>
  reference === 'control' ? size.nonzeros * size.poolShare * 8 : size.groups * size.genes * 16;

/** Peak of intermediate files: the regrouped rows, the frozen control, and the result rows before they are merged. */
export function scratchBytes(parameters: DeParameters, size: JobSize): number {
  const rows = size.nonzeros * SCRATCH_BYTES_PER_NONZERO + size.cells * 24;
  const results = parameters.tests.reduce((sum, test) => sum + testFileBytes(parameters, test, size), 0);
  return Math.ceil(rows + frozenBytes(parameters, size) + results);
}

/** What each stage reads and computes. */
export function stageCosts(parameters: DeParameters, size: JobSize): Readonly<Record<StageName, StageCost>> {
  const rows = size.nonzeros * SCRATCH_BYTES_PER_NONZERO;
  const pairs = (size.groups - 1) * size.genes;
  const output = parameters.tests.reduce((sum, test) => sum + testFileBytes(parameters, test, size), 0);
  const hasOwn = parameters.tests.includes('nb-glm') && parameters.dispersionScope === 'per-comparison';
  const seconds = (nanoseconds: number): number => nanoseconds / 1e9;
  return {
    scan: { bytesRead: size.inputBytes, coreSeconds: seconds(size.nonzeros * NANOSECONDS.scanNonzero) },
    'gene-means': { bytesRead: size.cells * 13, coreSeconds: 0.3 },
    ratios: { bytesRead: rows, coreSeconds: seconds(size.nonzeros * NANOSECONDS.ratiosNonzero) },
    'size-factors': { bytesRead: size.cells * 13, coreSeconds: 0.3 },
    control: {
      bytesRead: rows * size.poolShare,
      coreSeconds: seconds(size.nonzeros * size.poolShare * NANOSECONDS.controlNonzero),
    },
    dispersion: {
      bytesRead: rows,
      coreSeconds: seconds(size.nonzeros * NANOSECONDS.dispersionNonzero + pairs * NANOSECONDS.dispersionPair),
    },
    trend: { bytesRead: size.genes * 600, coreSeconds: seconds(size.genes * NANOSECONDS.trendGene) },
    fit: {
      bytesRead: rows + frozenBytes(parameters, size),
      coreSeconds: seconds(
        size.nonzeros * NANOSECONDS.fitNonzero +
          pairs * parameters.tests.length * NANOSECONDS.fitPair +
          pairs * (hasOwn ? NANOSECONDS.trendGene : 0),
      ),
    },
    'shrink-prior': { bytesRead: pairs * 8 * SEARCH_PASSES, coreSeconds: seconds(pairs * NANOSECONDS.shrinkPriorPair) },
    shrink: {
      bytesRead: rows + pairs * 8,
      coreSeconds: seconds(size.nonzeros * NANOSECONDS.shrinkNonzero + pairs * NANOSECONDS.shrinkPair),
    },
    merge: { bytesRead: output, coreSeconds: seconds(output * NANOSECONDS.mergeByte) },
  };
}

/** Files of a test in all formats: CSV is about three times, Parquet about as large as h5ad. */
export function outputFiles(parameters: DeParameters, size: JobSize): { name: string; bytes: number }[] {
  const factor = { h5ad: 1, csv: 3, parquet: 1 } as const;
  const files = parameters.tests.flatMap((test) =>
    parameters.formats.map((format) => ({
      name: `${TEST_OUTPUTS[test].file}.${format}`,
      bytes: Math.ceil(testFileBytes(parameters, test, size) * factor[format]),
    })),
  );
  return [...files, { name: 'cells.parquet', bytes: size.cells * 40 }, { name: 'run.json', bytes: 8192 }];
}
