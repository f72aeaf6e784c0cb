import { JOB_MOVES, STAGE_MOVES, TASK_MOVES, type Move } from './job-moves.js';

/** The states of jobs, stages and tasks as a Markdown page with Mermaid diagrams, drawn from the tables of legal moves. */
export function stateMachinePage(): string {
  return [
    '<!-- Drawn from coordinator/src/domain/job-moves.ts by `npx vitest run coordinator/src/domain/job-diagram.test.ts -u`. Do not edit. -->',
    '',
    '# Jobs, stages and tasks',
    '',
    'A job is a list of stages. A stage that workers execute is cut into tasks when the stages before it are done; a stage',
    'of the coordinator is one reduction. `step(state, event)` in `coordinator/src/domain/job-machine.ts` is the only way',
    'from one state to another, and a move that is not drawn here stops the coordinator with the whole story of what made it.',
    '',
    ...section('Job', 'queued', JOB_MOVES),
    ...section('Stage', 'waiting', STAGE_MOVES),
    ...section('Task', 'ready', TASK_MOVES),
    '## What is not in the arrows',
    '',
    '- Only tasks of the first stage that is not done are granted, in order; the job with the fewest tasks in workers’ hands',
    '  comes first, equals take turns.',
    '- Every grant has a new attempt number. A report from an attempt that is no longer current changes nothing and is logged.',
    '- A task that runs far longer than those that are done, and could be done sooner elsewhere, is given to a second worker',
    '  that has nothing else to do. Whichever is done first counts; the other is told so. A second attempt that fails while',
    '  the first one runs is forgotten: only what happens to the one that is left counts.',
    '- A lease is kept by heartbeats that name it. A worker that is not heard of for a lease’s time is lost.',
    '- Failures that count are limited (4), and so are those the task is not to blame for (10); a worker that drains may give',
    '  back as often as it likes.',
    '- A failed task waits twice as long after each failure and prefers another worker.',
    '- A task that ran out of memory or time, or cost a second worker, is not repeated but halved, up to eight times; the two',
    '  halves are in the plan on scratch before they are granted. Not once a later stage was planned.',
    '- A lost output sends its task back, and the rest of the scratch is looked at once: what else is gone is made again too.',
    '- A task planned with its output already there begins as done (`--resume`, or the coordinator was started again).',
    '',
  ].join('\n');
}

function section<State extends string>(title: string, first: State, moves: readonly Move<State>[]): string[] {
  const sources = new Set(moves.map((move) => move.from));
  const last = [...new Set(moves.map((move) => move.to))].filter((state) => !sources.has(state));
  return [
    `## ${title}`,
    '',
    '```mermaid',
    'stateDiagram-v2',
    `  [*] --> ${first}`,
    ...moves.map(({ from, to, on }) => `  ${from} --> ${to}: ${on.replaceAll(':', ',')}`),
    ...last.map((state) => `  ${state} --> [*]`),
    '```',
    '',
  ];
}
