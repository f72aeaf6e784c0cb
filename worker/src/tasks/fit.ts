import { encodeBundle, type FitSummary, type TaskSpec } from '@shardex/shared/artifacts';
import { InvariantBrokenError } from '@shardex/shared/errors';
import { MomentAccumulator } from '@shardex/shared/kernels';
import type { TaskOutput } from './commit.js';
import { addCountTotals, needsCountTotals } from './count-totals.js';
import { markFilteredGenes } from './filter-genes.js';
import { MeasuresEngine } from './fit-nb.js';
import { StrataEngine } from './fit-strata.js';
import { CellsEngine } from './fit-cells.js';
import { compareMeans } from './fit-t-test.js';
import { testFrozenRanks } from './fit-rest-ranks.js';
import { FitRows } from './fit-rows.js';
import { RankTest } from './fit-wilcoxon.js';
import { frozenStatistics, type FrozenMeasures, type FrozenStatistics } from './frozen-control.js';
import type { GroupRows } from './group-rows.js';
import type { CellFactors } from './job-data.js';
import { needsMoments, setMeanLayers } from './mean-layers.js';
import { isCountBlock, nbEngineOf, type NbEngine } from './nb-engine.js';
import { withoutOwn } from './reference.js';
import { modelStrataOf, strataOf, type Strata } from './strata.js';
import { openGroupRows, type TaskScope } from './task-scope.js';

type FitSpec = Extract<TaskSpec, { kind: 'fit' }>;

/** Tests every gene of a run of perturbations against the frozen control, from one read of their cells. */
export async function runFit(scope: TaskScope, spec: FitSpec): Promise<TaskOutput> {
  const { job, runtime } = scope;
  const { nGenes, parameters } = job.context;
  const factors = await job.cellFactors();
  const control = await frozenStatistics(job);
  const rows = await openGroupRows(scope, spec.groupBegin, spec.groupEnd);
  const groups: number[] = [];
  for (let group = spec.groupBegin; group < spec.groupEnd; group++)
    if (factors.groupKept[group] === 1) groups.push(group);
  const results = new FitRows(parameters, groups.length, nGenes);
  const arms = new PerturbationArms(scope, factors, control, rows, results, await modelStrataOf(job));
  const withRanks = parameters.tests.includes('wilcoxon');
  const againstControl = parameters.reference === 'control';
  const ranks = withRanks && againstControl ? new RankTest(scope, rows, groups, control, await strataOf(job)) : null;
  let nonzeros = 0;
  for (const [row, group] of groups.entries()) {
    const nExpressing = await arms.test(group, row);
    ranks?.count(row, nExpressing);
    nonzeros += rows.nonzerosOf(group);
    runtime.progress((0.7 * (row + 1)) / groups.length);
  }
  const progress = (fraction: number): void => runtime.progress(0.7 + 0.3 * fraction);
  await ranks?.test(results, progress);
  if (withRanks && !againstControl) await testFrozenRanks(scope, groups, control, results, progress);
  results.adjust();
  const meta: FitSummary = {
    groups,
    cells: groups.map((group) => rows.cellsOf(group)),
    notConverged: results.notConverged(),
    statuses: results.statuses(),
    trends: results.trends,
  };
  return {
    parts: encodeBundle(meta, results.toArrays()),
    bytesRead: rows.bytesRead,
    nonzeros,
    fits: groups.length * nGenes * parameters.tests.length,
    warnings: [],
  };
}

/** Streams one perturbation after the other through the sums that the NB-GLM and the t-test need. */
class PerturbationArms {
  private readonly moments: MomentAccumulator;
  private readonly nb: NbEngine | null;

  constructor(
    private readonly scope: TaskScope,
    private readonly factors: CellFactors,
    private readonly control: FrozenStatistics,
    private readonly rows: GroupRows,
    private readonly results: FitRows,
    strata: Strata | null,
  ) {
    const { nGenes, parameters } = scope.job.context;
    this.moments = new MomentAccumulator(scope.heap, nGenes, needsMoments(parameters));
    this.nb = control.nb === null ? null : createNbEngine(scope, factors, control, control.nb, rows, results, strata);
  }

  /** @returns cells that express each gene, valid until the next call */
  async test(group: number, row: number): Promise<Uint32Array> {
    const { moments, nb, results, control, factors } = this;
    const { parameters, nGenes } = this.scope.job.context;
    moments.reset();
    nb?.reset();
    const sumCounts = needsCountTotals(parameters) ? new Float64Array(nGenes) : null;
    for await (const block of this.rows.blocks(group)) {
      if (isCountBlock(block)) {
        moments.addRows(block.rows, block.totals, block.sizeFactors);
        nb?.addRows(block);
        if (sumCounts !== null) addCountTotals(sumCounts, block.rows);
      } else if ('values' in block.rows) moments.addRealRows(block.rows);
    }
    const { sums, nExpressing } = moments;
    const own = { moments: sums, nExpressing, sumCounts, cells: this.rows.cellsOf(group) };
    const reference = parameters.reference === 'control' ? control : withoutOwn(control, own);
    markFilteredGenes(results, row, { perturbed: own, reference }, parameters, factors.geneKept);
    setMeanLayers(results, row, own, reference, parameters.tests);
    await nb?.fit({ group, row, cells: own.cells, geneStatus: results.status('nb-glm', row) });
    if (parameters.tests.includes('t-test')) compareMeans(results, row, own, reference, parameters.tTest);
    return nExpressing;
  }
}

function createNbEngine(
  scope: TaskScope,
  factors: CellFactors,
  control: FrozenStatistics,
  frozen: FrozenMeasures,
  rows: GroupRows,
  results: FitRows,
  strata: Strata | null,
): NbEngine {
  const kind = nbEngineOf(scope.job.context);
  switch (kind) {
    case 'measures':
      return new MeasuresEngine(scope, factors, control, frozen, results);
    case 'cells':
      return new CellsEngine(scope, factors, frozen.dispersions, results);
    case 'strata':
      if (strata === null) throw new InvariantBrokenError('the job has no strata of covariates');
      return new StrataEngine(scope, factors, control, frozen.dispersions, strata, rows, results);
  }
}
