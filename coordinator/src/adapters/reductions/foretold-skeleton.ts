import type { ResultLayer } from '@shardex/shared/artifacts';
import type { TestName } from '@shardex/shared/config';
import type { H5adSkeleton } from '@shardex/shared/h5ad';
import type { FrozenSummary } from './frozen-summary.js';
import type { ReductionScope } from './scratch.js';
import { describeTest } from './test-skeleton.js';

/** Groups, headers and first heaps of `uns/rank_genes_groups`, whatever is in it. */
const RANKED_BYTES = 1 << 15;
/** Its tables, each with a field a group, and what HDF5 takes to describe a field beside its name. */
const RANKED_TABLES = 5;
const RANKED_FIELD_BYTES = 128;
/** Heaps of strings are not filled to their ends: 0.2 % with 400 groups of 3,000 genes, 0.1 % with 24 of 600. */
const HEAP_SPARE = 1.02;

/** A test's file as far as it can be described before its fits have run. */
export interface ForetoldSkeleton {
  /** As large as the real one: zeros, or the longest name, stand for what is not known. */
  readonly skeleton: H5adSkeleton;
  /** Bytes that the real one may have beyond. */
  readonly spareBytes: number;
}

/** @param groups - of the result rows */
export function foretellTest(
  scope: ReductionScope,
  test: TestName,
  layers: readonly ResultLayer[],
  frozen: FrozenSummary,
  groups: readonly number[],
): ForetoldSkeleton {
  const { parameters, geneNames, groupLabels } = scope.context;
  const labels = groups.map((group) => groupLabels[group]);
  const perRow = <Value>(value: Value): Value[] => groups.map(() => value);
  const rows = {
    groups,
    cells: perRow(0),
    trends:
      parameters.dispersionScope === 'per-comparison'
        ? perRow({ trendKind: 'parametric', trendCoefficients: [], priorVariance: 0 })
        : null,
    shrinkage:
      parameters.shrink === 'apeglm'
        ? {
            likelihood: 'counts' as const,
            prior: parameters.shrinkPrior,
            priorScales: new Float64Array(groups.length),
            twoModes: 0,
            notConverged: 0,
          }
        : null,
  };
  const screen = { nTests: 0, testedPerRow: new Int32Array(groups.length) };
  return {
    skeleton: describeTest(scope, test, layers, frozen, rows, screen, null),
    spareBytes: parameters.scanpy ? rankedBytes(geneNames, labels) : 0,
  };
}

/** About what `uns/rank_genes_groups` takes: of each gene of each group four numbers, and a name in a heap and its place. */
function rankedBytes(geneNames: readonly string[], labels: readonly string[]): number {
  const text = (name: string): number => 8 * Math.ceil((Buffer.byteLength(name) + 1) / 8);
  const rows = geneNames.reduce((sum, name) => sum + 56 + text(name), 0);
  const fields = labels.reduce((sum, label) => sum + RANKED_FIELD_BYTES + text(label), 0);
  return RANKED_BYTES + Math.ceil(labels.length * rows * HEAP_SPARE) + RANKED_TABLES * fields;
}
