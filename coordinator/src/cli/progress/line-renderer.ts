import { StageState, type Job, type Stage } from '@shardex/proto';
import type { CliOutput } from '../cli-context.js';
import { formatDuration, formatQuantity } from '../render/numbers.js';
import { stageSeconds, type JobUpdate } from './job-view.js';

/** A stage that takes longer than this also says when a quarter, half and three quarters of it are done. */
const LONG_STAGE_SECONDS = 30;

/** What a finished stage did, as "12 tasks in 3.2 s, 1 retry". */
export function describeStage(stage: Stage, nowMs: number): string {
  const time = formatDuration(stageSeconds(stage, nowMs));
  const work = stage.tasksTotal > 0 ? `${formatQuantity(stage.tasksTotal, 'task')} in ${time}` : `in ${time}`;
  return stage.retries === 0 ? work : `${work}, ${stage.retries === 1 ? '1 retry' : `${stage.retries} retries`}`;
}

/** Progress for log files: a line when a stage is done, and one for each quarter of a long stage. */
export class LineRenderer {
  private readonly seen = new Map<string, number>();
  private notes = 0;

  constructor(
    private readonly output: Pick<CliOutput, 'write'>,
    private readonly nowMs: () => number,
  ) {}

  update({ job }: JobUpdate): void {
    for (; this.notes < job.warnings.length; this.notes++) this.output.write(`note: ${job.warnings[this.notes]}\n`);
    job.stages.forEach((stage, index) => {
      const line = this.lineOf(job, stage);
      if (line !== null) this.output.write(`[${index + 1}/${job.stages.length}] ${stage.name}: ${line}\n`);
    });
  }

  end(): void {
    // Every line was complete when it was written.
  }

  /** Something new to say of a stage, or null. */
  private lineOf(job: Job, stage: Stage): string | null {
    const quarters = stage.state === StageState.DONE ? 4 : Math.min(3, Math.floor(stage.progress * 4));
    // A lost result sends a finished stage back to work: it is told again.
    const before = this.seen.get(stage.name) ?? 0;
    if (stage.state === StageState.WAITING || quarters < before) this.seen.set(stage.name, 0);
    if (quarters <= before) return null;
    if (stage.state === StageState.DONE) {
      this.seen.set(stage.name, 4);
      return `done, ${describeStage(stage, this.nowMs())}`;
    }
    if (stageSeconds(stage, this.nowMs()) < LONG_STAGE_SECONDS) return null;
    this.seen.set(stage.name, quarters);
    const left = job.etaSeconds === undefined ? '' : `, about ${formatDuration(job.etaSeconds)} left of the job`;
    return `${quarters * 25}%, ${stage.tasksDone} of ${formatQuantity(stage.tasksTotal, 'task')} done${left}`;
  }
}
