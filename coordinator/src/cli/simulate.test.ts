import { createHash } from 'node:crypto';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CancelledError, InvalidInputError } from '@shardex/shared/errors';
import { createSimulationModel } from '@shardex/shared/stats';
import { File, ready } from 'h5wasm/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SimulateOptions } from './cli-context.js';
import { simulate } from './simulate.js';

const THREAD = new URL('./fixtures/simulate-source-thread.mjs', import.meta.url);
const OPTIONS: Omit<SimulateOptions, 'output'> = {
  cells: 300,
  genes: 80,
  perturbations: 12,
  controlFraction: 0.1,
  depth: 400,
  batches: 3,
  seed: 9,
};
const quiet = (): void => undefined;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shardex-simulate-'));
  await ready;
});
afterAll(() => rm(folder, { recursive: true }));
const at = (name: string): string => join(folder, name);
const hash = async (path: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex');

describe('shardex simulate', () => {
  it('stores the truth it has used', async () => {
    const output = at('truth.h5ad');
    const progress: number[] = [];
    const summary = await simulate({ ...OPTIONS, output }, (share) => progress.push(share), undefined, {
      blockCells: 100,
    });
    const model = createSimulationModel({
      nCells: 300,
      nGenes: 80,
      nPerturbations: 12,
      controlFraction: 0.1,
      depth: 400,
      nBatches: 3,
      seed: 9,
    });
    expect(progress).toEqual([1 / 3, 2 / 3, 1]);
    const file = new File(output, 'r');
    const read = (path: string): unknown => (file.get(path) as unknown as { value: unknown }).value;
    expect(read('obs/perturbation/categories')).toEqual(['non-targeting', ...model.perturbationNames]);
    expect(read('obs/perturbation/codes')).toEqual(model.cellPerturbation);
    expect(read('obs/batch/codes')).toEqual(model.cellBatch);
    expect(read('obs/true_size_factor')).toEqual(model.sizeFactor);
    expect(read('var/true_mean')).toEqual(model.geneMean);
    expect(read('var/true_dispersion')).toEqual(model.dispersion);
    expect(read('uns/true_lfc_perturbations')).toEqual(model.perturbationNames);
    const truth = read('varm/true_lfc') as Float32Array;
    const expected = new Float32Array(80 * 12);
    for (let k = 0; k < 12; k++) {
      for (let i = model.effectOffsets[k]; i < model.effectOffsets[k + 1]; i++) {
        expected[model.effectGenes[i] * 12 + k] = model.effectLogFoldChanges[i];
      }
    }
    expect(truth).toEqual(expected);
    expect((read('X/data') as Float32Array).length).toBe(summary.nonzeros);
    expect((read('X/indptr') as Int32Array).at(-1)).toBe(summary.nonzeros);
    file.close();
  });

  it('writes the same bytes for any number of threads and any block size', async () => {
    const inThisThread = { threads: 1, blockCells: 300, threadUrl: new URL('./no-such-thread.js', import.meta.url) };
    const settings = [
      inThisThread,
      { ...inThisThread, blockCells: 7 },
      { threads: 1, blockCells: 50, threadUrl: THREAD },
      { threads: 3, blockCells: 11, threadUrl: THREAD },
    ];
    const hashes: string[] = [];
    for (const [i, setting] of settings.entries()) {
      const output = at(`threads${i}.h5ad`);
      await simulate({ ...OPTIONS, output }, quiet, undefined, setting);
      hashes.push(await hash(output));
    }
    expect(new Set(hashes).size).toBe(1);
    await simulate({ ...OPTIONS, output: at('seed.h5ad'), seed: 10 }, quiet);
    expect(hashes).not.toContain(await hash(at('seed.h5ad')));
  });

  it.each<[Partial<SimulateOptions>, RegExp]>([
    [{ cells: 0 }, /--cells is 0/],
    [{ cells: 1.5 }, /--cells is 1.5/],
    [{ genes: -3 }, /--genes is -3/],
    [{ perturbations: NaN }, /--perturbations is NaN/],
    [{ batches: 0 }, /--batches is 0/],
    [{ seed: -1 }, /--seed is -1/],
    [{ controlFraction: 0 }, /--control-fraction is 0/],
    [{ controlFraction: 1 }, /--control-fraction is 1/],
    [{ depth: 0 }, /--depth is 0/],
    [{ cells: 10 }, /10 cells leave 9 for 12 perturbations/],
    [{ output: '/no-such-folder/out.h5ad' }, /no such file or directory/],
  ])('refuses %o with a reason', async (wrong, reason) => {
    const refused = simulate({ ...OPTIONS, output: at('refused.h5ad'), ...wrong }, quiet);
    await expect(refused).rejects.toThrow(InvalidInputError);
    await expect(refused).rejects.toThrow(reason);
  });

  it('does not replace a file unless it is forced to', async () => {
    const output = at('there.h5ad');
    await writeFile(output, 'precious');
    await expect(simulate({ ...OPTIONS, output }, quiet)).rejects.toThrow(/already exists/);
    expect(await readFile(output, 'utf8')).toBe('precious');
    await simulate({ ...OPTIONS, output }, quiet, undefined, { force: true });
    expect((await readFile(output)).length).toBeGreaterThan(1000);
  });

  it('leaves nothing behind when it is cancelled', async () => {
    const controller = new AbortController();
    const run = simulate({ ...OPTIONS, output: at('cancelled.h5ad') }, () => controller.abort(), controller.signal, {
      blockCells: 10,
    });
    await expect(run).rejects.toThrow(CancelledError);
    expect((await readdir(folder)).filter((name) => name.includes('cancelled'))).toEqual([]);
  });

  it('says so when a thread dies', async () => {
    const threadUrl = new URL('./fixtures/dying-thread.mjs', import.meta.url);
    const run = simulate({ ...OPTIONS, output: at('dead.h5ad') }, quiet, undefined, { threads: 2, threadUrl });
    await expect(run).rejects.toThrow(/a thread of the simulator ended/);
    expect((await readdir(folder)).filter((name) => name.includes('dead'))).toEqual([]);
  });
});
