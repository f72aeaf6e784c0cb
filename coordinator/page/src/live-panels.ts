import type { LiveEvent, LiveJob, LiveJobDetails, LiveState } from '../../src/web/live-shapes.js';
import { element, facts } from './element.js';
import { formatBytes, formatCount, formatDuration, formatMoment } from './numbers.js';
import { throughputPlot } from './plots/throughput.js';
import { table } from './run-view.js';

const ENDED: readonly string[] = ['succeeded', 'failed', 'cancelled'];
export const hasEnded = ({ state }: LiveJob): boolean => ENDED.includes(state);

const fileOf = (path: string): string => path.replace(/\/+$/, '').split('/').at(-1) ?? path;

/** Mean progress of a job's stages, for a bar in a list: stages are not equally long, and the time left knows that. */
function shareOf({ stages }: LiveJob): number {
  return stages.length === 0 ? 0 : stages.reduce((sum, { progress }) => sum + progress, 0) / stages.length;
}

const bar = (share: number, label: string): HTMLElement =>
  element('progress', { max: 1, value: share.toFixed(3), 'aria-label': label });

const state = (name: string): HTMLElement => element('span', { class: `state ${name}` }, name);

/** When the job ends, or how long it took. */
function timeOf({ etaSeconds, startedMs, submittedMs, endedMs }: LiveJob): string {
  if (endedMs !== null) return `took ${formatDuration((endedMs - (startedMs ?? submittedMs)) / 1000)}`;
  return etaSeconds === null ? '' : `about ${formatDuration(etaSeconds)} left`;
}

/** All jobs, the chosen one marked. */
export function jobsPanel({ jobs, olderJobs, nowMs, chosen }: JobsData): (Node | null)[] {
  if (jobs.length === 0) return [element('p', {}, 'No job yet. Submit one with "shardex de FILE --coordinator".')];
  const rows = jobs.map((job) =>
    element(
      'tr',
      {},
      element(
        'th',
        { scope: 'row' },
        element(
          'a',
          { href: `#${job.jobId}`, 'aria-current': job.jobId === chosen ? 'true' : null },
          fileOf(job.input),
        ),
      ),
      element('td', {}, state(job.state)),
      element('td', {}, hasEnded(job) ? '' : bar(shareOf(job), `progress of ${fileOf(job.input)}`)),
      element('td', {}, timeOf(job)),
      element('td', {}, formatMoment(job.submittedMs, nowMs)),
      element('td', { class: 'note' }, job.jobId),
    ),
  );
  const older =
    olderJobs === 0 ? null : element('p', { class: 'note' }, `${formatCount(olderJobs)} older jobs: shardex jobs`);
  return [table(['input', 'state', 'progress', 'time', 'submitted', 'id'], rows, 'Jobs'), older];
}

export interface JobsData extends Pick<LiveState, 'jobs' | 'olderJobs'> {
  /** A moment of the day at hand: makes today's dates short. */
  readonly nowMs: number;
  readonly chosen: string | null;
}

/** A job's stages, with progress. */
export function stagesPanel({ job, nowMs }: Pick<LiveJobDetails, 'job' | 'nowMs'>): Node[] {
  const rows = job.stages.map((stage) => {
    const { name, progress, tasksDone, tasksTotal, tasksRunning, retries, startedMs, endedMs } = stage;
    const ran = startedMs === null ? '' : formatDuration(((endedMs ?? nowMs) - startedMs) / 1000);
    const tasks = tasksTotal === 0 ? '' : `${formatCount(tasksDone)} / ${formatCount(tasksTotal)}`;
    return element(
      'tr',
      {},
      element('th', { scope: 'row' }, name),
      element('td', {}, state(stage.state)),
      element('td', {}, bar(progress, `progress of ${name}`)),
      ...[
        tasks,
        tasksRunning === 0 ? '' : formatCount(tasksRunning),
        retries === 0 ? '' : formatCount(retries),
        ran,
      ].map((text) => element('td', { class: 'number' }, text)),
    );
  });
  return [table(['stage', 'state', 'progress', 'tasks', 'running', 'retries', 'time'], rows, 'Stages', 3)];
}

/** What a job is, and how far. */
export function jobFacts({ job, throughput }: Pick<LiveJobDetails, 'job' | 'throughput'>): Node[] {
  const { total } = throughput;
  return [
    facts([
      ['State', state(job.state)],
      ['Time', timeOf(job) || 'not known yet'],
      ['Input', job.input],
      ['Results', job.output],
      ['Tests', job.tests.join(', ')],
      [
        'Done',
        `${formatCount(total.tasks)} tasks, ${formatCount(total.nonzeros)} nonzeros, ${formatCount(total.fits)} fits`,
      ],
    ]),
  ];
}

export const throughputPanel = ({ throughput }: Pick<LiveJobDetails, 'throughput'>): Node[] => [
  throughputPlot(throughput),
];

/** Why a job failed, with the story of the task that failed; and what it warned of, until the run's record says so. */
export function failurePanel({ job, failure, warnings }: FailureData): (Node | null)[] {
  return [
    failure === null
      ? null
      : element(
          'div',
          { class: 'failure', role: 'alert' },
          element('p', {}, element('strong', {}, failure.tag), `: ${failure.message}`),
          failure.hint === '' ? null : element('p', {}, `Hint: ${failure.hint}`),
          failure.story === undefined ? null : element('pre', { tabindex: 0 }, failure.story),
        ),
    warnings.length === 0 || job.state === 'succeeded'
      ? null
      : element(
          'div',
          {},
          element('h3', {}, 'Notes and warnings'),
          element('ul', {}, ...warnings.map((warning) => element('li', {}, warning))),
        ),
  ];
}

export type FailureData = Pick<LiveJobDetails, 'job' | 'failure' | 'warnings'>;

/** Lines of a job's story, newest first. */
export function eventsPanel({ events, nowMs, none }: EventsData): Node[] {
  if (events.length === 0) return [element('p', { class: 'note' }, none)];
  const rows = [...events].reverse().map((event) => {
    const { atMs, kind, stage = '', taskId = '', workerId = '', attempt, text, reason } = event;
    const where = [taskId || stage, attempt === undefined ? '' : `attempt ${attempt}`, workerId]
      .filter(Boolean)
      .join(', ');
    return element(
      'tr',
      {},
      element('td', {}, formatMoment(atMs, nowMs)),
      element('th', { scope: 'row' }, kind),
      element('td', { class: 'wrap' }, reason === undefined ? text : `${text} (${reason})`),
      element('td', { class: 'note' }, where),
    );
  });
  return [table(['time', 'event', 'what happened', 'where'], rows, 'Events')];
}

export interface EventsData {
  readonly events: readonly LiveEvent[];
  readonly nowMs: number;
  /** Said when there are no events. */
  readonly none: string;
}

/** Workers and what each is at. */
export function workersPanel({ workers, nowMs }: Pick<LiveState, 'workers' | 'nowMs'>): Node[] {
  if (workers.length === 0) return [element('p', {}, 'No worker is connected.')];
  const rows = workers.map((worker) => {
    const tasks = worker.tasks.map(({ stage, attempt, sinceMs, fraction }) => {
      const again = attempt > 1 ? `, attempt ${attempt}` : '';
      const share = `${Math.round(100 * fraction)}%`;
      return element('div', {}, `${stage}${again}: ${share}, ${formatDuration(Math.max(0, nowMs - sinceMs) / 1000)}`);
    });
    return element(
      'tr',
      {},
      element('th', { scope: 'row' }, `${worker.host}, process ${worker.pid}`),
      element('td', {}, ...(tasks.length === 0 ? ['waits'] : tasks)),
      element('td', { class: 'number' }, `${worker.tasksHeld} / ${worker.threads}`),
      element('td', { class: 'number' }, `${formatBytes(worker.residentBytes)} of ${formatBytes(worker.memoryBytes)}`),
      element('td', { class: 'number' }, `${formatDuration(Math.max(0, nowMs - worker.lastSeenMs) / 1000)} ago`),
    );
  });
  return [table(['worker', 'at', 'tasks', 'memory', 'heard of'], rows, 'Workers', 2)];
}
