import { describe, expect, it } from 'vitest';
import { create, JobEventSchema } from '@shardex/proto';
import { DEFAULT_DE_PARAMETERS, type DeParameters } from '@shardex/shared/config';
import type { PlanSummary } from '../../domain/index.js';
import { renderEvent } from './event-line.js';
import { formatCount, formatDuration, formatMoment, formatNumber, formatQuantity, formatShare } from './numbers.js';
import { paintFor } from './paint.js';
import { renderPlan } from './plan.js';
import { renderFacts, renderTable } from './table.js';

describe('numbers for people', () => {
  it.each([
    [0, '0.0 s'],
    [9.94, '9.9 s'],
    [9.96, '10 s'],
    [59.6, '1 min'],
    [130, '2 min 10 s'],
    [3600, '1 h'],
    [3_905, '1 h 5 min'],
    [90_000, '1 d 1 h'],
    [Number.NaN, '?'],
  ])('%d seconds are %s', (seconds, text) => expect(formatDuration(seconds)).toBe(text));

  it('have thousands set apart, nouns in number, and four digits', () => {
    expect([0, 999, 1000, 1234567].map(formatCount)).toEqual(['0', '999', '1,000', '1,234,567']);
    expect([formatQuantity(1, 'cell'), formatQuantity(2000, 'cell')]).toEqual(['1 cell', '2,000 cells']);
    expect([0, 1, -0.123456, 1e-5, 1234567, Number.NaN, Infinity].map(formatNumber)).toEqual([
      '0',
      '1',
      '-0.1235',
      '1.00e-5',
      '1.23e+6',
      'NaN',
      'inf',
    ]);
    expect([0, 0.06716, 1].map(formatShare)).toEqual(['0%', '6.72%', '100%']);
    expect([formatMoment(0), formatMoment(Number.NaN)]).toEqual(['-', '-']);
  });
});

describe('tables', () => {
  it('align their columns by what is seen, not by escape sequences', () => {
    const paint = paintFor({ hasColour: true });
    const text = renderTable(
      [{ title: 'A' }, { title: 'N', align: 'right' }],
      [
        [paint.red('xx'), '1'],
        ['y', '22'],
      ],
      paint.bold,
    );
    // eslint-disable-next-line no-control-regex
    expect(text.replace(/\u001b\[\d+m/g, '')).toBe('A    N\nxx   1\ny   22\n');
    expect(renderTable([{ title: 'A' }], [])).toBe('A\n');
    expect(
      renderFacts([
        ['a', '1'],
        ['long', '2'],
      ]),
    ).toBe('a     1\nlong  2\n');
  });
});

const plan: PlanSummary = {
  parameters: {
    ...DEFAULT_DE_PARAMETERS,
    input: '/s.h5ad',
    output: '/r',
    perturbationColumn: 'gene',
    controlLabel: 'NT',
  },
  inputBytes: 3 * 2 ** 20,
  cells: 10_000,
  genes: 2_000,
  nonzeros: 1_500_000,
  perturbations: 40,
  controlCells: 800,
  excludedCells: 12,
  inputScale: 'counts',
  cluster: { workers: 2, memoryBytes: 2 ** 31 },
  stages: [
    {
      name: 'scan',
      runsOn: 'workers',
      shardedOver: 'rows',
      tasks: 8,
      memoryBytes: 2 ** 28,
      bytesRead: 3 * 2 ** 20,
      seconds: 1.5,
    },
    {
      name: 'merge',
      runsOn: 'coordinator',
      shardedOver: '',
      tasks: 1,
      memoryBytes: 2 ** 26,
      bytesRead: 2 ** 20,
      seconds: 0.5,
    },
  ],
  scratchBytes: 2 ** 22,
  outputs: [{ path: '/r/nb_glm.h5ad', bytes: 2 ** 22, exists: true }],
  seconds: 4,
  estimates: [{ workers: 2, seconds: 4, coreHours: 0.0022 }],
  notes: ['detected control label "NT" (800 cells)'],
};

describe('a plan', () => {
  it('says what perturbations are compared with', () => {
    const design = (reference: DeParameters['reference']): string =>
      renderPlan({ ...plan, parameters: { ...plan.parameters, reference } }, { hasColour: false });
    expect(design('rest')).toContain('40 perturbations in "gene" against all other cells');
    expect(design('other-perturbed')).toContain('40 perturbations in "gene" against each other');
  });

  it('says what is read, done, needed and overwritten', () => {
    expect(renderPlan(plan, { hasColour: false })).toMatchInlineSnapshot(`
      "input     /s.h5ad (3 MiB)
      matrix    10,000 cells × 2,000 genes, 1,500,000 stored values, counts
      design    40 perturbations in "gene" against "NT" (800 cells)
      left out  12 cells
      tests     nb-glm, wilcoxon, t-test
      cluster   2 workers of 2 GiB; largest task 256 MiB
      scratch   4 MiB at most
      results   about 4 MiB
      time      about 4.0 s

      STAGE  RUNS ON      SHARDED OVER  TASKS  MEMORY A TASK  READS   TIME
      scan   workers      rows              8        256 MiB  3 MiB  1.5 s
      merge  coordinator  -                 1         64 MiB  1 MiB  0.5 s

      WORKERS   TIME  CORE HOURS
            2  4.0 s      0.0022

      WRITES           SIZE  NOW
      /r/nb_glm.h5ad  4 MiB  is there: "de" refuses without --force or --resume
      note detected control label "NT" (800 cells)
      "
    `);
  });

  it('says that nothing was looked at when no output was named', () => {
    expect(renderPlan(plan, { hasColour: false }, false)).toContain('no --out was named');
  });
});

describe('the story of a job', () => {
  it.each([
    [{ kind: 'job-started', text: 'the first work has begun' }, 'the first work has begun'],
    [{ kind: 'stage-started', text: 'stage scan begins', stage: 'scan' }, 'stage scan begins'],
    [{ kind: 'stage-planned', text: '3 tasks', stage: 'scan' }, 'scan: 3 tasks'],
    [
      { kind: 'task-granted', text: 'attempt 1', stage: 'scan', taskId: 'job-1/scan/0', workerId: 'w-node-1' },
      'scan/0 at w-node-1: attempt 1',
    ],
    [{ kind: 'task-split', taskId: 'job-1/fit/3', stage: 'fit' }, 'fit/3: task-split'],
  ])('says of %j what it is about', (event, line) =>
    expect(renderEvent(create(JobEventSchema, event), paintFor({ hasColour: false }))).toBe(`-  ${line}`),
  );
});
