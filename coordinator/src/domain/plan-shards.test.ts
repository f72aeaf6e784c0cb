import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planControl, planGroups, planScan, workOfTask, type ClusterShape } from './plan-shards.js';

const shape: fc.Arbitrary<ClusterShape> = fc.record(
  {
    slots: fc.integer({ min: 1, max: 64 }),
    memoryBytes: fc.integer({ min: 2 ** 20, max: 2 ** 34 }),
    taskNonzeros: fc.integer({ min: 1, max: 1e6 }),
  },
  { requiredKeys: ['slots', 'memoryBytes'] },
);

/** The runs cover [begin, end) once, in order, and none is empty. */
function expectCover(runs: readonly (readonly [number, number])[], begin: number, end: number): void {
  let at = begin;
  for (const [from, to] of runs) {
    expect(from).toBe(at);
    expect(to).toBeGreaterThan(from);
    at = to;
  }
  expect(at).toBe(end);
}

describe('shards', () => {
  it('of the scan cover every row once, whatever the cluster', () => {
    fc.assert(
      fc.property(
        shape,
        fc.constantFrom('csr', 'csc', 'dense'),
        fc.integer({ min: 0, max: 5000 }),
        fc.integer({ min: 0, max: 1e9 }),
        (cluster, kind, nRows, storedCount) => {
          const specs = planScan({ kind, nRows, storedCount }, cluster);
          const runs = specs.map((s) => (s.kind === 'scan' ? ([s.rowBegin, s.rowEnd] as const) : ([0, 0] as const)));
          expectCover(runs, 0, nRows);
        },
      ),
      { seed: 11, numRuns: 60 },
    );
  });

  it('of the control cover every gene once', () => {
    fc.assert(
      fc.property(shape, fc.integer({ min: 1, max: 3000 }), fc.integer({ min: 0, max: 1e8 }), (cluster, nGenes, n) => {
        const specs = planControl(nGenes, { nonzeros: n, rankedGroups: n % 300, strata: n % 7 }, cluster);
        const runs = specs.map((s) => (s.kind === 'control' ? ([s.geneBegin, s.geneEnd] as const) : ([0, 0] as const)));
        expectCover(runs, 0, nGenes);
      }),
      { seed: 12, numRuns: 60 },
    );
  });

  it('of the control are as many as its nonzeros and rank sums need, however much memory there is', () => {
    const tasksOf = (nonzeros: number, rankedGroups: number, memoryBytes: number): number =>
      planControl(20_000, { nonzeros, rankedGroups, strata: 1 }, { slots: 2, memoryBytes }).length;
    expect(tasksOf(1e6, 0, 2 ** 32)).toBe(2);
    const few = tasksOf(1e9, 0, 2 ** 32);
    expect(few).toBeGreaterThan(8);
    expect(tasksOf(2e9, 0, 2 ** 32)).toBeGreaterThan(1.8 * few);
    expect(tasksOf(1e6, 10_000, 2 ** 32)).toBeGreaterThan(2);
    // Kernels address 4 GiB.
    expect(tasksOf(1e9, 0, 2 ** 38)).toBe(few);
  });

  it('of groups cover every group once; dispersion has the control, fit has not', () => {
    const nonzeros = fc.array(fc.integer({ min: 0, max: 1e7 }), { minLength: 2, maxLength: 200 });
    fc.assert(
      fc.property(shape, nonzeros, fc.integer({ min: 1, max: 40_000 }), (cluster, groups, nGenes) => {
        for (const kind of ['dispersion', 'fit'] as const) {
          const specs = planGroups(kind, groups, nGenes, cluster);
          const runs = specs.map((s) => (s.kind === kind ? ([s.groupBegin, s.groupEnd] as const) : ([0, 0] as const)));
          expectCover(runs, kind === 'fit' ? 1 : 0, groups.length);
        }
      }),
      { seed: 13, numRuns: 60 },
    );
  });

  it('of a matrix by columns are as few as slots allow, since each decodes all of it', () => {
    const cluster = { slots: 2, memoryBytes: 2 ** 33 };
    const matrix = { nRows: 50_000, storedCount: 30_000_000 };
    expect(planScan({ kind: 'csc', ...matrix }, cluster)).toHaveLength(2);
    expect(planScan({ kind: 'csr', ...matrix }, cluster).length).toBeGreaterThan(4);
    expect(planScan({ kind: 'csc', ...matrix }, { ...cluster, memoryBytes: 2 ** 29 }).length).toBeGreaterThan(2);
  });
});

describe('a thousand workers', () => {
  const many: ClusterShape = { slots: 1000, memoryBytes: 2 ** 31 };
  const groups = new Float64Array(10_001).fill(600_000);

  it('do not cut a scan into more outputs than later tasks can well read from', () => {
    expect(planScan({ kind: 'csr', nRows: 2e6, storedCount: 6e9 }, many)).toHaveLength(256);
    // What does not fit into so many goes into more.
    const vast = planScan({ kind: 'csr', nRows: 25e6, storedCount: 100e9 }, many);
    expect(vast.length).toBeGreaterThan(1024);
    expect(vast.length).toBeLessThan(1100);
    // A laptop's screen is cut as ever.
    expect(planScan({ kind: 'csr', nRows: 50_000, storedCount: 150e6 }, { ...many, slots: 2 })).toHaveLength(13);
  });

  it('do not decode the control a thousand times', () => {
    expect(planControl(8000, { nonzeros: 2e8, rankedGroups: 0, strata: 0 }, many).length).toBeLessThanOrEqual(32);
  });

  it('get tasks that read more of their own than of what all of them read', () => {
    const tasks = (reads: { scanTasks: number; frozenNonzeros: number }): number =>
      planGroups('fit', groups, 8000, many, { testsControl: false, strata: 1 }, reads).length;
    const alone = tasks({ scanTasks: 1, frozenNonzeros: 0 });
    const shuffled = tasks({ scanTasks: 256, frozenNonzeros: 0 });
    const ranked = tasks({ scanTasks: 256, frozenNonzeros: 225e6 });
    expect(alone).toBeGreaterThan(3000);
    expect(shuffled).toBeLessThan(600);
    expect(ranked).toBeLessThan(250);
  });

  it('know what each task costs beside the others', () => {
    const sizes = { nonzeros: groups, nGenes: 8000 };
    expect(workOfTask({ kind: 'fit', groupBegin: 3, groupEnd: 5 }, sizes)).toBe(2 * (600_000 + 25 * 8000));
    expect(workOfTask({ kind: 'scan', rowBegin: 10, rowEnd: 30 }, null)).toBe(20);
    expect(workOfTask({ kind: 'control', geneBegin: 1, geneEnd: 3 }, sizes)).toBe(2);
    expect(workOfTask({ kind: 'ratios', scan: 7 }, null)).toBe(1);
  });
});
