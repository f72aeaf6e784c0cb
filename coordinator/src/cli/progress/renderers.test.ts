import { describe, expect, it } from 'vitest';
import { JobState, StageState, create, JobEventSchema } from '@shardex/proto';
import { fakeJob, FAKE_NOW_MS } from '../testing/fake-job.js';
import { TextOutput } from '../testing/fake-context.js';
import { BarRenderer, drawBar } from './bar-renderer.js';
import { JsonRenderer } from './json-renderer.js';
import { LineRenderer } from './line-renderer.js';

const { WAITING, RUNNING, DONE } = StageState;
const now = (): number => FAKE_NOW_MS;

const scanning = fakeJob(
  JobState.RUNNING,
  [
    { name: 'scan', state: RUNNING, progress: 0.3, tasksTotal: 12, tasksDone: 3 },
    { name: 'fit', state: WAITING },
  ],
  { warnings: ['detected control label "NT" (9 cells)'], etaSeconds: 130 },
);
const fitting = fakeJob(
  JobState.RUNNING,
  [
    { name: 'scan', state: DONE, tasksTotal: 12, tasksDone: 12, retries: 1 },
    { name: 'fit', state: RUNNING, progress: 0.62, tasksTotal: 50, tasksDone: 31, seconds: 5 },
  ],
  { warnings: ['detected control label "NT" (9 cells)'], etaSeconds: 3.21 },
);
const succeeded = fakeJob(
  JobState.SUCCEEDED,
  [
    { name: 'scan', state: DONE, tasksTotal: 12, tasksDone: 12, retries: 1 },
    { name: 'fit', state: DONE, tasksTotal: 50, tasksDone: 50, seconds: 7 },
  ],
  { warnings: ['detected control label "NT" (9 cells)'] },
);
const story = [scanning, scanning, fitting, succeeded];

describe('progress in lines', () => {
  it('has a line for each note, each quarter of a long stage, and each finished stage', () => {
    const output = new TextOutput();
    const renderer = new LineRenderer(output, now);
    for (const job of story) renderer.update({ job, events: [] });
    renderer.end();
    expect(output.text).toBe(
      [
        'note: detected control label "NT" (9 cells)',
        '[1/2] scan: 25%, 3 of 12 tasks done, about 2 min 10 s left of the job',
        '[1/2] scan: done, 12 tasks in 40 s, 1 retry',
        '[2/2] fit: done, 50 tasks in 7.0 s',
        '',
      ].join('\n'),
    );
  });

  it('tells a stage again that had to be repeated because its results were lost', () => {
    const output = new TextOutput();
    const renderer = new LineRenderer(output, now);
    const done = fakeJob(JobState.RUNNING, [{ name: 'scan', state: DONE, tasksTotal: 1 }]);
    const again = fakeJob(JobState.RUNNING, [{ name: 'scan', state: RUNNING, tasksTotal: 1 }]);
    for (const job of [done, done, again, done]) renderer.update({ job, events: [] });
    expect(output.text).toBe('[1/1] scan: done, 1 task in 40 s\n'.repeat(2));
  });
});

describe('progress as a bar', () => {
  it('leaves a line for each finished stage and clears the bar at the end', () => {
    const output = new TextOutput(true);
    const renderer = new BarRenderer(output, now);
    for (const job of story) renderer.update({ job, events: [] });
    renderer.end();
    renderer.end();
    const clear = '\r\u001b[2K';
    const scanBar = `${clear}  scan  ━━━━━━━━────────────────────  30%  3/12 tasks  about 2 min 10 s left`;
    expect(output.text).toBe(
      [
        'note detected control label "NT" (9 cells)\n',
        scanBar,
        scanBar,
        `${clear}✓ scan  12 tasks in 40 s, 1 retry\n`,
        `${clear}  fit   ━━━━━━━━━━━━━━━━━───────────  62%  31/50 tasks  about 3.2 s left`,
        `${clear}✓ fit   50 tasks in 7.0 s\n`,
      ].join(''),
    );
  });

  it('never fills a line of the terminal, where it would wrap', () => {
    for (const columns of [20, 40, 69, 70, 80]) {
      const output = new TextOutput(true, false, columns);
      new BarRenderer(output, now).update({ job: fitting, events: [] });
      const lines = output.text.split('\n');
      expect((lines[lines.length - 1] ?? '').replace('\r\u001b[2K', '').length).toBeLessThan(columns);
    }
  });

  it('uses colours only where they are shown', () => {
    const colourful = new TextOutput(true, true);
    new BarRenderer(colourful, now).update({ job: succeeded, events: [] });
    expect(colourful.text).toContain('\u001b[32m✓\u001b[39m scan');
  });

  it('draws full, empty and out-of-range shares', () => {
    expect([0, 0.5, 1, 2, -1].map((share) => drawBar(share, 4))).toEqual(['────', '━━──', '━━━━', '━━━━', '────']);
  });
});

describe('progress as JSON', () => {
  it('is one object a line, and says nothing twice', () => {
    const output = new TextOutput();
    const renderer = new JsonRenderer(output);
    const event = create(JobEventSchema, { unixMs: 5, kind: 'task-failed', text: 'oh', taskId: 't1', attempt: 2 });
    renderer.update({ job: scanning, events: [event] });
    for (const job of story) renderer.update({ job, events: [] });
    const events = output.text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(events.map(({ event: name, stage, state, progress }) => [name, stage, state, progress])).toEqual([
      ['log', undefined, undefined, undefined],
      ['note', undefined, undefined, undefined],
      ['stage', 'scan', 'running', 0.3],
      ['job', undefined, 'running', undefined],
      ['stage', 'scan', 'done', 1],
      ['stage', 'fit', 'running', 0.62],
      ['stage', 'fit', 'done', 1],
      ['job', undefined, 'succeeded', undefined],
    ]);
    expect(events[0]).toEqual({ event: 'log', unixMs: 5, kind: 'task-failed', text: 'oh', task: 't1', attempt: 2 });
    expect(events[2]).toMatchObject({ job: 'job-1', tasksTotal: 12, tasksDone: 3, etaSeconds: 130 });
    expect(events[7]).toMatchObject({ output: '/data/results', failure: null, endedUnixMs: 90_000 });
  });
});
