import { formatMemorySize } from '@shardex/shared/config';
import type { PlanSummary } from '../../domain/index.js';
import type { CliOutput } from '../cli-context.js';
import { formatCount, formatDuration, formatNumber, formatQuantity } from './numbers.js';
import { paintFor } from './paint.js';
import { renderFacts, renderTable } from './table.js';

const STAGE_COLUMNS = [
  { title: 'STAGE' },
  { title: 'RUNS ON' },
  { title: 'SHARDED OVER' },
  { title: 'TASKS', align: 'right' },
  { title: 'MEMORY A TASK', align: 'right' },
  { title: 'READS', align: 'right' },
  { title: 'TIME', align: 'right' },
] as const;

/** What a plan says: input, stages, needs, estimates, and what is in the way. */
export function renderPlan(plan: PlanSummary, output: Pick<CliOutput, 'hasColour'>, hasOutput = true): string {
  const paint = paintFor(output);
  const bold = (title: string): string => paint.bold(title);
  const dim = (name: string): string => paint.dim(name);
  const { parameters, cluster } = plan;
  const outputBytes = plan.outputs.reduce((sum, { bytes }) => sum + bytes, 0);
  const largestTask = Math.max(0, ...plan.stages.map(({ memoryBytes }) => memoryBytes));
  const facts = renderFacts(
    [
      ['input', `${parameters.input} (${formatMemorySize(plan.inputBytes)})`],
      [
        'matrix',
        `${formatQuantity(plan.cells, 'cell')} × ${formatQuantity(plan.genes, 'gene')}, ${formatCount(plan.nonzeros)} stored values, ${plan.inputScale}`,
      ],
      [
        'design',
        `${formatQuantity(plan.perturbations, 'perturbation')} in "${parameters.perturbationColumn ?? '?'}" against ${othersOf(plan)}`,
      ],
      ['left out', plan.excludedCells === 0 ? 'no cells' : formatQuantity(plan.excludedCells, 'cell')],
      ['tests', parameters.tests.join(', ')],
      [
        'cluster',
        `${formatQuantity(cluster.workers, 'worker')} of ${formatMemorySize(cluster.memoryBytes)}; largest task ${formatMemorySize(largestTask)}`,
      ],
      ['scratch', `${formatMemorySize(plan.scratchBytes)} at most`],
      ['results', `about ${formatMemorySize(outputBytes)}`],
      ['time', `about ${formatDuration(plan.seconds)}`],
    ],
    dim,
  );
  const stages = renderTable(
    STAGE_COLUMNS,
    plan.stages.map((stage) => [
      stage.name,
      stage.runsOn,
      stage.shardedOver === '' ? '-' : stage.shardedOver,
      formatCount(stage.tasks),
      formatMemorySize(stage.memoryBytes),
      formatMemorySize(stage.bytesRead),
      formatDuration(stage.seconds),
    ]),
    bold,
  );
  const estimates = renderTable(
    [
      { title: 'WORKERS', align: 'right' },
      { title: 'TIME', align: 'right' },
      { title: 'CORE HOURS', align: 'right' },
    ],
    plan.estimates.map(({ workers, seconds, coreHours }) => [
      formatCount(workers),
      formatDuration(seconds),
      formatNumber(coreHours),
    ]),
    bold,
  );
  const notes = plan.notes.map((note) => `${paint.yellow('note')} ${note}\n`).join('');
  return [facts, stages, estimates, renderOutputs(plan, hasOutput, bold) + notes].join('\n');
}

function renderOutputs(plan: PlanSummary, hasOutput: boolean, bold: (title: string) => string): string {
  if (!hasOutput) return 'no --out was named: whether results would be overwritten was not looked at\n';
  const rows = plan.outputs.map(({ path, bytes, exists }) => [
    path,
    formatMemorySize(bytes),
    exists ? 'is there: "de" refuses without --force or --resume' : 'new',
  ]);
  return renderTable([{ title: 'WRITES' }, { title: 'SIZE', align: 'right' }, { title: 'NOW' }], rows, bold);
}

/** What a perturbation is compared with. */
function othersOf({ parameters, controlCells }: PlanSummary): string {
  if (parameters.reference === 'rest') return 'all other cells';
  if (parameters.reference === 'other-perturbed') return 'each other';
  return `"${parameters.controlLabel ?? '?'}" (${formatQuantity(controlCells, 'cell')})`;
}
