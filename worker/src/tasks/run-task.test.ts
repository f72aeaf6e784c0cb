import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeBundle, SCRATCH_NAMES, type TaskSpec } from '@shardex/shared/artifacts';
import { DEFAULT_DE_PARAMETERS } from '@shardex/shared/config';
import { openStore } from '@shardex/shared/storage';
import { runTask } from './index.js';

let scratchUri: string;
beforeEach(async () => {
  scratchUri = await mkdtemp(join(tmpdir(), 'shardex-test-'));
});
afterEach(() => rm(scratchUri, { recursive: true, force: true }));

const run = (spec: TaskSpec) =>
  runTask(
    { scratchUri, spec, output: 'out.bundle', memoryBytes: 2 ** 26 },
    { signal: new AbortController().signal, progress: () => undefined, memoryBytes: 2 ** 26 },
  );

describe('a thread whose task missed the context of the job', () => {
  it('finds it for the next task when it was made again', async () => {
    const spec = { kind: 'ratios', scan: 0 } as const;
    const lost = { tag: 'ResultLost', details: { output: SCRATCH_NAMES.context } };
    await expect(run(spec)).rejects.toMatchObject(lost);
    const parameters = { ...DEFAULT_DE_PARAMETERS, input: 'in.h5ad', output: 'out' };
    await openStore(scratchUri).commit(SCRATCH_NAMES.context, encodeBundle({ parameters }, {}));
    // It gets as far as the parameters, which ask for no ratios.
    await expect(run(spec)).rejects.toMatchObject({ tag: 'InvariantBroken' });
  });
});
