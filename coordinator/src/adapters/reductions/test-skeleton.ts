import { basename } from 'node:path';
import { TEST_OUTPUTS, type ComparisonTrend, type ResultLayer } from '@shardex/shared/artifacts';
import type { TestName } from '@shardex/shared/config';
import type { ColumnSpec, H5adSkeleton, UnsDict } from '@shardex/shared/h5ad';
import { GENE_STATUS_LEGEND } from '@shardex/shared/stats';
import { PRIOR_SCALE_COLUMN, shrinkageUns } from '../../domain/index.js';
import type { FitOutputs } from './fit-outputs.js';
import { controlMeanOf, type FrozenSummary } from './frozen-summary.js';
import type { RankedGenes } from './rank-genes-groups.js';
import type { ReductionScope } from './scratch.js';
import type { ScreenWide } from './screen-tally.js';

const METHOD_NAMES: Readonly<Record<TestName, string>> = {
  'nb-glm': 'nb_glm',
  wilcoxon: 'wilcoxon',
  't-test': 't-test',
};

const CORRECTION_NAMES = { bh: 'benjamini-hochberg', bonferroni: 'bonferroni' } as const;

/** Everything of a test's result file except the perturbations × genes arrays. */
export function describeTest(
  scope: ReductionScope,
  test: TestName,
  layers: readonly ResultLayer[],
  frozen: FrozenSummary,
  fits: Pick<FitOutputs, 'groups' | 'cells' | 'trends' | 'shrinkage'>,
  { testedPerRow, nTests }: Pick<ScreenWide, 'testedPerRow' | 'nTests'>,
  ranked: RankedGenes | null,
): H5adSkeleton {
  const { geneNames, groupLabels } = scope.context;
  const shrinkage = test === 'nb-glm' ? fits.shrinkage : null;
  return {
    obs: {
      index: fits.groups.map((group) => groupLabels[group]),
      columns: {
        n_cells: { kind: 'numeric', values: Int32Array.from(fits.cells) },
        n_genes_tested: { kind: 'numeric', values: testedPerRow },
        ...trendColumns(test === 'nb-glm' ? fits.trends : null),
        ...(shrinkage === null ? {} : { [PRIOR_SCALE_COLUMN]: { kind: 'numeric', values: shrinkage.priorScales } }),
      },
    },
    var: { index: geneNames, columns: geneColumns(test, frozen) },
    uns: {
      method: METHOD_NAMES[test],
      effect: TEST_OUTPUTS[test].effect,
      control_label: groupLabels[0],
      perturbation_column: scope.context.parameters.perturbationColumn,
      pvalue_correction: CORRECTION_NAMES[scope.context.parameters.correction],
      n_tests: nTests,
      n_control_cells: frozen.controlCells,
      ...(frozen.control === null ? { n_pool_cells: frozen.poolCells } : {}),
      status_legend: Object.fromEntries(
        GENE_STATUS_LEGEND.map(({ name, meaning }, code) => [`${code}`, `${name}: ${meaning}`]),
      ),
      parameters: parametersOf(scope),
      ...(test === 'nb-glm' ? nbUns(scope, frozen) : {}),
      ...(shrinkage === null ? {} : { shrinkage: shrinkageUns(shrinkage) }),
      ...(ranked === null ? {} : { rank_genes_groups: ranked.toUns() }),
    },
    dense: {
      X: 'f32',
      layers: layers.filter(({ name }) => name !== 'X').map(({ name, dtype }) => ({ name, dtype })),
    },
  };
}

function geneColumns(test: TestName, frozen: FrozenSummary): Record<string, ColumnSpec> {
  const columns: Record<string, ColumnSpec> = {};
  if (frozen.control !== null) {
    columns['control_mean'] = { kind: 'numeric', values: controlMeanOf(test, frozen.control) };
    columns['pts_rest'] = { kind: 'numeric', values: frozen.control.ptsRest };
  }
  if (test !== 'nb-glm' || frozen.dispersion === null) return columns;
  return {
    ...columns,
    dispersion: { kind: 'numeric', values: frozen.dispersion.final },
    dispersion_trend: { kind: 'numeric', values: frozen.dispersion.trend },
    dispersion_genewise: { kind: 'numeric', values: frozen.dispersion.genewise },
  };
}

/** What each comparison's own dispersions rest on. */
const trendColumns = (trends: readonly ComparisonTrend[] | null): Record<string, ColumnSpec> =>
  trends === null
    ? {}
    : {
        dispersion_trend_kind: { kind: 'strings', values: trends.map(({ trendKind }) => trendKind) },
        dispersion_prior_variance: {
          kind: 'numeric',
          values: Float64Array.from(trends, ({ priorVariance }) => priorVariance),
        },
      };

function nbUns(scope: ReductionScope, { factors, trend }: FrozenSummary): UnsDict {
  const { parameters } = scope.context;
  const dispersion: UnsDict =
    trend === null
      ? parameters.dispersion === null
        ? { scope: 'per-comparison' }
        : { fixed: parameters.dispersion }
      : {
          trend_kind: trend.trendKind,
          trend_coefficients: Float64Array.from(trend.trendCoefficients),
          prior_variance: trend.priorVariance,
        };
  const { count, bound } = factors.nodes;
  return { dispersion, measure_nodes: { count, error_bound: bound } };
}

/** The parameters under the names of the command line's options. */
function parametersOf(scope: ReductionScope): UnsDict {
  const { parameters } = scope.context;
  // Where files are is not part of what the results are: the same run elsewhere gives the same bytes.
  const { output: _output, scratch: _scratch, formats: _formats, ...named } = parameters;
  const kept = { ...named, input: basename(parameters.input) };
  return Object.fromEntries(
    Object.entries(kept).map(([name, value]) => {
      const key = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      return [key, Array.isArray(value) ? [...(value as string[])] : (value as string | number | boolean | null)];
    }),
  );
}
