import { JobState, StageState, type Job, type Stage } from '@shardex/proto';
import type { CliOutput } from '../cli-context.js';
import { formatDuration } from '../render/numbers.js';
import { paintFor, type Paint } from '../render/paint.js';
import type { JobUpdate } from './job-view.js';
import { describeStage } from './line-renderer.js';

const BAR_CELLS = 28;
const CLEAR_LINE = '\r\u001b[2K';

/** A bar of `cells` characters of which `share` is full. */
export function drawBar(share: number, cells: number): string {
  const full = Math.round(Math.max(0, Math.min(1, share)) * cells);
  return '━'.repeat(full) + '─'.repeat(cells - full);
}

/** Progress on a terminal: a finished stage leaves a line, the running one has a bar with the time left below them. */
export class BarRenderer {
  private readonly finished = new Set<string>();
  private readonly paint: Paint;
  private notes = 0;
  private hasBar = false;

  constructor(
    private readonly output: CliOutput,
    private readonly nowMs: () => number,
  ) {
    this.paint = paintFor(output);
  }

  update({ job }: JobUpdate): void {
    for (; this.notes < job.warnings.length; this.notes++)
      this.line(`${this.paint.yellow('note')} ${job.warnings[this.notes]}`);
    const nameWidth = Math.max(0, ...job.stages.map((stage) => stage.name.length));
    for (const stage of job.stages) {
      if (stage.state !== StageState.DONE) this.finished.delete(stage.name);
      else if (!this.finished.has(stage.name)) {
        this.finished.add(stage.name);
        this.line(`${this.paint.green('✓')} ${stage.name.padEnd(nameWidth)}  ${describeStage(stage, this.nowMs())}`);
      }
    }
    this.draw(this.barOf(job, nameWidth));
  }

  end(): void {
    this.draw('');
  }

  private barOf(job: Job, nameWidth: number): string {
    if (job.state === JobState.QUEUED) return 'waiting for a worker …';
    if (job.state === JobState.CANCELLING) return 'cancelling …';
    const stage = job.stages.find((each) => each.state === StageState.RUNNING);
    return stage === undefined ? '' : this.stageBar(job, stage, nameWidth);
  }

  private stageBar(job: Job, stage: Stage, nameWidth: number): string {
    const percent = `${Math.floor(stage.progress * 100)}%`.padStart(4);
    const tasks = stage.tasksTotal > 0 ? `  ${stage.tasksDone}/${stage.tasksTotal} tasks` : '';
    const left = job.etaSeconds === undefined ? '' : `  about ${formatDuration(job.etaSeconds)} left`;
    const name = `  ${stage.name.padEnd(nameWidth)}`;
    const bar = `  ${drawBar(stage.progress, BAR_CELLS)}`;
    // A line that is too long would wrap and could not be cleared: the least telling parts go first.
    const variants = [
      `${name}${bar} ${percent}${tasks}${left}`,
      `${name}${bar} ${percent}${left}`,
      `${name} ${percent}${left}`,
      `${name} ${percent}`,
    ];
    const room = this.output.columns - 1;
    return variants.find((text) => text.length <= room) ?? percent.trim().slice(0, room);
  }

  /** Writes a line that stays, above the bar. */
  private line(text: string): void {
    this.output.write(`${this.hasBar ? CLEAR_LINE : ''}${text}\n`);
    this.hasBar = false;
  }

  private draw(text: string): void {
    if (text === '' && !this.hasBar) return;
    this.output.write(CLEAR_LINE + text);
    this.hasBar = text !== '';
  }
}
