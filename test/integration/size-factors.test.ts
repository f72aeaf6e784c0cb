import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DeParameters } from '@shardex/shared/config';
import { readResults } from '../reference/calibration-truth.mjs';
import { readSizeFactors } from '../support/cells-table.js';
import { deRunner, type DeRun } from '../support/de-runner.js';
import { hashes, simulatedScreen } from '../support/shardex.js';

interface RunRecord {
  readonly stages: readonly { readonly name: string; readonly tasks: number }[];
  readonly quality_control: { readonly perturbations_dropped: readonly string[] };
}

const FILES = ['nb_glm.h5ad', 'cells.parquet'];
const BASE = { tests: ['nb-glm'], dispersion: 0.3 } as const;

describe('size factors by median of ratios', () => {
  const runDe = deRunner();
  let folder: string;
  let screen: string;

  const run = async (name: string, options: DeRun, parameters: Partial<DeParameters>): Promise<RunRecord> => {
    const output = join(folder, name);
    await runDe(screen, output, { ...options, parameters: { ...BASE, ...parameters } });
    return JSON.parse(await readFile(join(output, 'run.json'), 'utf8')) as RunRecord;
  };
  const stagesOf = ({ stages }: RunRecord): string[] => stages.map(({ name }) => name);
  const factorsOf = (name: string): Promise<Map<string, number>> => readSizeFactors(join(folder, name));

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'shardex-test-'));
    screen = await simulatedScreen(folder);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it.each(['sparse', 'ratio', 'poscounts'] as const)(
    'by %s are the same bytes for any workers and shards',
    async (method) => {
      const parameters = { sizeFactors: method, minCellsPerPerturbation: 110 };
      const whole = await run(`${method}-1`, { taskNonzeros: 1e9 }, parameters);
      expect(stagesOf(whole).slice(0, 4)).toEqual(['scan', 'gene-means', 'ratios', 'size-factors']);
      expect(whole.quality_control.perturbations_dropped.length).toBeGreaterThan(0);
      const expected = await hashes(join(folder, `${method}-1`), FILES);
      for (const how of [{ taskNonzeros: 60_000 }, { workers: 3, taskNonzeros: 7_000 }]) {
        const name = `${method}-${how.taskNonzeros}`;
        const record = await run(name, how, parameters);
        expect(record.stages.find((stage) => stage.name === 'ratios')?.tasks).toBeGreaterThan(1);
        expect(await hashes(join(folder, name), FILES)).toEqual(expected);
      }
    },
  );

  it('are those of a run without the perturbations that a filter drops', async () => {
    const filtered = await run('filtered', {}, { sizeFactors: 'sparse', minCellsPerPerturbation: 110 });
    expect(filtered.quality_control.perturbations_dropped.length).toBeGreaterThan(0);
    const { perturbations } = await readResults(join(folder, 'filtered'), 'nb_glm', []);
    await run('chosen', {}, { sizeFactors: 'sparse', perturbations });
    expect([...(await factorsOf('filtered'))]).toEqual([...(await factorsOf('chosen'))]);
  });

  it('need no further stages by other methods', async () => {
    const record = await run('total', {}, { tests: ['t-test'] });
    expect(stagesOf(record)).toEqual(['scan', 'size-factors', 'control', 'fit', 'merge']);
  });

  it.each(['total', 'sparse'] as const)('by %s on their own scale change no fold change', async (method) => {
    await run(`${method}-scaled`, {}, { sizeFactors: method });
    await run(`${method}-own`, {}, { sizeFactors: method, scaleSizeFactors: false });
    const [scaled, own] = [await factorsOf(`${method}-scaled`), await factorsOf(`${method}-own`)];
    const ratios = [...scaled].map(([cell, factor]) => (own.get(cell) ?? NaN) / factor);
    for (const ratio of ratios) expect(Math.abs(ratio / ratios[0] - 1)).toBeLessThan(1e-12);
    const mean = [...own.values()].reduce((sum, factor) => sum + factor, 0) / own.size;
    if (method === 'total') expect(mean).toBeCloseTo(1, 12);
    const effectsOf = async (name: string): Promise<Float64Array> =>
      (await readResults(join(folder, name), 'nb_glm', ['X'])).layers.get('X') ?? expect.fail('no effects');
    const [before, after] = [await effectsOf(`${method}-scaled`), await effectsOf(`${method}-own`)];
    expect(after.map((effect) => Number(Number.isNaN(effect)))).toEqual(
      before.map((effect) => Number(Number.isNaN(effect))),
    );
    const largest = before.reduce((most, effect, i) => Math.max(most, Math.abs(effect - after[i]) || 0), 0);
    expect(largest).toBeLessThan(1e-6);
  });
});
