import { DEFAULT_DE_PARAMETERS, type DeParameters } from '@shardex/shared/config';
import { GENE_STATUS_LEGEND } from '@shardex/shared/stats';
import { shrinkageRecord, type JobHistory } from '../../domain/index.js';
import type { FitOutputs } from './fit-outputs.js';
import type { FrozenSummary } from './frozen-summary.js';
import type { OutputFolder } from './output-folder.js';
import type { ReductionScope } from './scratch.js';

export interface RunRecordParts {
  readonly history: JobHistory;
  readonly frozen: FrozenSummary;
  readonly fits: FitOutputs;
  /** Names of the files written beside `run.json`. */
  readonly files: readonly string[];
  readonly warnings: readonly string[];
}

/** Writes `run.json`, the last file of a run: what was done, to what, with which parameters, and how it went. */
export async function writeRunRecord(
  scope: ReductionScope,
  output: OutputFolder,
  parts: RunRecordParts,
): Promise<void> {
  const { context } = scope;
  const { history, frozen, fits } = parts;
  // This stage has not ended yet: it ends with this file.
  const nowUnixMs = Date.now();
  const record = {
    shardex: context.version,
    input: {
      path: context.parameters.input,
      bytes: context.inputBytes,
      version: context.inputVersion,
      content_hash: frozen.factors.contentHash,
      cells: context.nCells,
      genes: context.nGenes,
      nonzeros: frozen.factors.nonzeros,
      scale: context.inputScale,
    },
    parameters: parametersWithSource(context.parameters),
    design: {
      perturbation_column: context.parameters.perturbationColumn,
      control_label: context.groupLabels[0],
      control_cells: frozen.controlCells,
      pool_cells: frozen.poolCells,
      perturbations: fits.groups.filter((group) => group > 0).length,
    },
    quality_control: {
      kept_cells: frozen.factors.keptCells,
      cells_without_label_or_not_selected: frozen.factors.qc.cellsUnlabelled,
      cells_without_counts: frozen.factors.qc.cellsEmpty,
      cells_with_few_genes: frozen.factors.qc.cellsFewGenes,
      perturbations_dropped: frozen.factors.qc.perturbationsDropped,
      genes_dropped: frozen.factors.qc.genesDropped,
    },
    method: {
      measure_nodes: frozen.factors.nodes.count,
      measure_error_bound: frozen.factors.nodes.bound,
      dispersion_trend: frozen.trend?.trendKind ?? null,
      dispersion_trend_coefficients: frozen.trend?.trendCoefficients ?? null,
      dispersion_prior_variance: frozen.trend?.priorVariance ?? null,
      dispersion_trends_of_comparisons: fits.trends && countBy(fits.trends.map(({ trendKind }) => trendKind)),
      fits_not_converged: fits.notConverged.count,
    },
    genes_by_status: Object.fromEntries(
      Object.entries(fits.statuses).map(([test, counts]) => [
        test,
        Object.fromEntries(
          GENE_STATUS_LEGEND.flatMap(({ name }, code) => (counts[code] > 0 ? [[name, counts[code]]] : [])),
        ),
      ]),
    ),
    shrinkage:
      fits.shrinkage === null
        ? null
        : shrinkageRecord(
            fits.shrinkage,
            fits.groups.map((group) => context.groupLabels[group]),
          ),
    files: parts.files,
    submitted: iso(history.submittedUnixMs),
    started: iso(history.startedUnixMs),
    stages: history.stages.map((stage) => ({
      name: stage.name,
      runs_on: stage.executor,
      started: iso(stage.startedUnixMs),
      seconds: seconds(stage.startedUnixMs, stage.endedUnixMs ?? nowUnixMs),
      tasks: stage.tasks,
      tasks_resumed: stage.tasksResumed,
      retries: stage.retries,
      bytes_read: stage.bytesRead,
      bytes_written: stage.bytesWritten,
      nonzeros: stage.nonzeros,
      fits: stage.fits,
    })),
    workers: history.workers.map((worker) => ({
      id: worker.workerId,
      host: worker.host,
      tasks: worker.tasks,
      failures: worker.failures,
      peak_memory_bytes: worker.peakResidentBytes,
    })),
    warnings: [...new Set([...context.warnings, ...frozen.factors.warnings, ...history.warnings, ...parts.warnings])],
  };
  const text = `${JSON.stringify(record, null, 2)}\n`;
  await output.finish(new TextEncoder().encode(text));
}

const countBy = (names: readonly string[]): Record<string, number> =>
  Object.fromEntries([...new Set(names)].sort().map((name) => [name, names.filter((other) => other === name).length]));

/** Every parameter with where its value came from. */
function parametersWithSource(parameters: DeParameters): Record<string, { value: unknown; source: string }> {
  const defaults: Partial<Record<string, unknown>> = DEFAULT_DE_PARAMETERS;
  return Object.fromEntries(
    Object.entries(parameters).map(([name, value]) => {
      const isDefault = name in defaults && JSON.stringify(defaults[name]) === JSON.stringify(value);
      return [name, { value: value as unknown, source: isDefault ? 'default' : 'given or detected' }];
    }),
  );
}

const iso = (unixMs: number | null): string | null => (unixMs === null ? null : new Date(unixMs).toISOString());

const seconds = (begin: number | null, end: number | null): number | null =>
  begin === null || end === null ? null : Math.round(end - begin) / 1000;
