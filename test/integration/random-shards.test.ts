import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TaskSpec } from '@shardex/shared/artifacts';
import type { DeParameters } from '@shardex/shared/config';
import { deRunner } from '../support/de-runner.js';
import { hashes, shardex } from '../support/shardex.js';

const CELLS = 240;
const GENES = 30;
const PERTURBATIONS = 6;
const FILES = ['nb_glm.h5ad', 'wilcoxon.h5ad', 't_test.h5ad', 'cells.parquet'];
const MEMORY_BYTES = 2 ** 26;
/** Too little to read rows ahead, or to keep the control's columns from one fit to the next. */
const TIGHT_BYTES = 2 ** 10;
/** A sharding takes about a second. */
const RUNS = 12;

/** Where each stage is cut, in which order its tasks run (numbers that sort them), and with how much memory. */
interface Sharding {
  readonly scan: readonly number[];
  readonly control: readonly number[];
  readonly dispersion: readonly number[];
  readonly fit: readonly number[];
  readonly order: readonly number[];
  readonly memoryBytes: number;
}

const cuts = (begin: number, end: number): fc.Arbitrary<number[]> =>
  fc
    .uniqueArray(fc.integer({ min: begin + 1, max: end - 1 }), { maxLength: 7 })
    .map((inner) => [begin, ...inner.sort((a, b) => a - b), end]);

const sharding: fc.Arbitrary<Sharding> = fc.record({
  scan: cuts(0, CELLS),
  control: cuts(0, GENES),
  dispersion: cuts(0, PERTURBATIONS + 1),
  fit: cuts(1, PERTURBATIONS + 1),
  order: fc.array(fc.nat(), { minLength: 8, maxLength: 8 }),
  memoryBytes: fc.constantFrom(MEMORY_BYTES, TIGHT_BYTES),
});
const WHOLE: Sharding = {
  scan: [0, CELLS],
  control: [0, GENES],
  dispersion: [0, PERTURBATIONS + 1],
  fit: [1, PERTURBATIONS + 1],
  order: [],
  memoryBytes: MEMORY_BYTES,
};

function specsOf(stage: string, { scan, control, dispersion, fit }: Sharding): TaskSpec[] {
  const between = (at: readonly number[], make: (begin: number, end: number) => TaskSpec): TaskSpec[] =>
    at.slice(1).map((end, i) => make(at[i], end));
  switch (stage) {
    case 'scan':
      return between(scan, (rowBegin, rowEnd) => ({ kind: 'scan', rowBegin, rowEnd }));
    case 'control':
      return between(control, (geneBegin, geneEnd) => ({ kind: 'control', geneBegin, geneEnd }));
    case 'dispersion':
      return between(dispersion, (groupBegin, groupEnd) => ({ kind: 'dispersion', groupBegin, groupEnd }));
    default:
      return between(fit, (groupBegin, groupEnd) => ({ kind: 'fit', groupBegin, groupEnd }));
  }
}

describe('any sharding, merged, equals the whole', () => {
  let folder: string;
  let input: string;
  let runs = 0;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'shardex-test-'));
    input = join(folder, 'screen.h5ad');
    const sizes = `--cells ${CELLS} --genes ${GENES} --perturbations ${PERTURBATIONS} --depth 90 --seed 5`;
    const simulated = await shardex(['simulate', input, ...sizes.split(' '), '--quiet']);
    expect(simulated.exitCode, simulated.stderr).toBe(0);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const runDe = deRunner();

  /** Runs a job whose stages are cut as told. */
  async function run(how: Sharding, options: Partial<DeParameters>): Promise<Record<string, string>> {
    const output = join(folder, `out-${++runs}`);
    // Against the rest the control is tested as the others are.
    const cuts = options.reference === 'rest' ? { ...how, fit: [0, ...how.fit.slice(1)] } : how;
    const { order, memoryBytes } = how;
    await runDe(input, output, { parameters: options, order, memoryBytes, cut: (stage) => specsOf(stage, cuts) });
    return hashes(output, FILES);
  }

  it.each<readonly [string, number, Partial<DeParameters>]>([
    ['as it is by default', RUNS, {}],
    [
      'against the rest, by dispersions of each comparison',
      RUNS / 3,
      { reference: 'rest', dispersionScope: 'per-comparison' },
    ],
  ])('%s', async (_, numRuns, options) => {
    const expected = await run(WHOLE, options);
    await fc.assert(
      fc.asyncProperty(sharding, async (how) => {
        expect(await run(how, options)).toEqual(expected);
      }),
      { seed: 7, numRuns, endOnFailure: true },
    );
  });
});
