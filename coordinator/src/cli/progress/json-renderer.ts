import { StageState } from '@shardex/proto';
import type { CliOutput } from '../cli-context.js';
import {
  hasEnded,
  jobStateName,
  plainEvent,
  plainJob,
  plainStage,
  stageStateName,
  type JobUpdate,
} from './job-view.js';

/**
 * Progress for programs: one JSON object a line.
 *
 * `{"event":"job",…}` when the job's state changes, `{"event":"stage",…}` when a stage changes by at least a percent,
 * `{"event":"note","text":…}` for warnings, `{"event":"log",…}` for the job's story.
 */
export class JsonRenderer {
  private readonly stages = new Map<string, string>();
  private state = '';
  private notes = 0;

  constructor(private readonly output: Pick<CliOutput, 'write'>) {}

  update({ job, events }: JobUpdate): void {
    for (const event of events) this.emit({ event: 'log', ...plainEvent(event) });
    for (; this.notes < job.warnings.length; this.notes++) this.emit({ event: 'note', text: job.warnings[this.notes] });
    for (const stage of job.stages) {
      const key = [
        stageStateName(stage.state),
        stage.tasksTotal,
        stage.tasksDone,
        stage.retries,
        Math.floor(stage.progress * 100),
      ].join(' ');
      const known = this.stages.get(stage.name);
      this.stages.set(stage.name, key);
      // Stages that have not begun say nothing.
      if (known === key || (known === undefined && stage.state <= StageState.WAITING)) continue;
      this.emit({ event: 'stage', job: job.id, ...plainStage(stage), etaSeconds: job.etaSeconds ?? null });
    }
    const state = jobStateName(job.state);
    if (state === this.state) return;
    this.state = state;
    if (hasEnded(job)) this.emit({ event: 'job', ...plainJob(job) });
    else this.emit({ event: 'job', job: job.id, state });
  }

  end(): void {
    // Every line was complete when it was written.
  }

  private emit(event: Record<string, unknown>): void {
    this.output.write(`${JSON.stringify(event)}\n`);
  }
}
