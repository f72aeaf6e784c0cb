import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { DEFAULT_DE_PARAMETERS } from '@shardex/shared/config';
import { CancelledError } from '@shardex/shared/errors';
import { H5adFileWriter } from '@shardex/shared/h5ad';
import { jobId } from '@shardex/shared/ids';
import { DePlanner } from './de-planner.js';

it('lets go of the folder of a job that was being submitted when it was closed', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'shardex-test-'));
  const input = join(folder, 'screen.h5ad');
  const perturbation = { kind: 'categorical', categories: ['NT', 'A'], codes: Int8Array.of(0, 0, 1, 1) } as const;
  const writer = await H5adFileWriter.create(input, {
    obs: { index: ['c0', 'c1', 'c2', 'c3'], columns: { perturbation } },
    var: { index: ['g0', 'g1'], columns: {} },
    uns: {},
    dense: { X: 'f32', layers: [] },
  });
  await writer.writeRows('X', 0, Float32Array.of(1, 0, 2, 1, 3, 1, 1, 4));
  await writer.close();

  const planner = new DePlanner(
    () => ({ slots: 1, memoryBytes: 2 ** 26 }),
    () => expect.fail('nobody asked for results'),
  );
  const parameters = { ...DEFAULT_DE_PARAMETERS, input, output: join(folder, 'results') };
  const preparing = planner.prepare(jobId('job-1'), { parameters, existingOutput: 'refuse' });
  const [prepared] = await Promise.allSettled([preparing, planner.close()]);
  expect(prepared).toMatchObject({ status: 'rejected', reason: expect.any(CancelledError) as CancelledError });
  // What is begun stays for --resume, the lock does not.
  expect(await readdir(parameters.output)).toEqual(['.shardex-scratch']);
  await rm(folder, { recursive: true });
});
