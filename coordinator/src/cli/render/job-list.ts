import { JobState, type Job } from '@shardex/proto';
import type { CliOutput } from '../cli-context.js';
import { jobProgress, jobSeconds, jobStateName, stageSeconds, stageStateName } from '../progress/job-view.js';
import { formatDuration, formatMoment, formatShare } from './numbers.js';
import { paintFor, type Paint } from './paint.js';
import { renderFacts, renderTable } from './table.js';

function paintState(job: Job, paint: Paint): string {
  const name = jobStateName(job.state);
  if (job.state === JobState.SUCCEEDED) return paint.green(name);
  if (job.state === JobState.FAILED) return paint.red(name);
  return job.state === JobState.CANCELLED ? paint.dim(name) : paint.yellow(name);
}

const percent = (share: number): string => `${Math.floor(100 * share)}%`;

/** Jobs as a table, one line each. */
export function renderJobList(jobs: readonly Job[], nowMs: number, output: Pick<CliOutput, 'hasColour'>): string {
  if (jobs.length === 0) return 'no jobs\n';
  const paint = paintFor(output);
  // On one's own machine nobody is asked who they are.
  const hasOwners = jobs.some(({ owner }) => owner !== '');
  const rows = jobs.map((job) => [
    job.id,
    ...(hasOwners ? [job.owner] : []),
    paintState(job, paint),
    percent(jobProgress(job)),
    formatMoment(job.submittedUnixMs),
    formatDuration(jobSeconds(job, nowMs)),
    job.spec?.input ?? '',
    job.spec?.output ?? '',
  ]);
  const columns = [
    { title: 'JOB' },
    ...(hasOwners ? [{ title: 'OWNER' }] : []),
    { title: 'STATE' },
    { title: 'DONE', align: 'right' },
    { title: 'SUBMITTED' },
    { title: 'TIME', align: 'right' },
    { title: 'INPUT' },
    { title: 'OUTPUT' },
  ] as const;
  return renderTable(columns, rows, (title) => paint.bold(title));
}

/** One job: what it is, how it stands, and its stages. */
export function renderJob(job: Job, nowMs: number, output: Pick<CliOutput, 'hasColour'>): string {
  const paint = paintFor(output);
  const facts: (readonly [string, string])[] = [
    ['job', job.id],
    ...(job.owner === '' ? [] : [['owner', job.owner] as const]),
    ['state', paintState(job, paint)],
    ['input', job.spec?.input ?? ''],
    ['output', job.spec?.output ?? ''],
    ['submitted', formatMoment(job.submittedUnixMs)],
    ['time', formatDuration(jobSeconds(job, nowMs))],
  ];
  if (job.etaSeconds !== undefined) facts.push(['time left', `about ${formatDuration(job.etaSeconds)}`]);
  if (job.failure !== undefined) {
    const { message, hint } = job.failure;
    facts.push(['failure', hint === '' ? message : `${message}: ${hint}`]);
  }
  for (const warning of job.warnings) facts.push(['note', warning]);
  const rows = job.stages.map((stage) => [
    stage.name,
    stageStateName(stage.state),
    formatShare(stage.progress),
    stage.tasksTotal === 0 ? '-' : `${stage.tasksDone}/${stage.tasksTotal}`,
    String(stage.retries),
    stage.startedUnixMs > 0 ? formatDuration(stageSeconds(stage, nowMs)) : '-',
  ]);
  const columns = [
    { title: 'STAGE' },
    { title: 'STATE' },
    { title: 'DONE', align: 'right' },
    { title: 'TASKS', align: 'right' },
    { title: 'RETRIES', align: 'right' },
    { title: 'TIME', align: 'right' },
  ] as const;
  const table = rows.length === 0 ? '' : `\n${renderTable(columns, rows, (title) => paint.bold(title))}`;
  return renderFacts(facts, (name) => paint.dim(name)) + table;
}
