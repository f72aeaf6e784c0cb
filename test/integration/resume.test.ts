import { spawn } from 'node:child_process';
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { JobState, StageState, type Stage } from '@shardex/proto';
import { hashes, LAUNCHER, runCluster, shardex, simulatedScreen } from '../support/shardex.js';

const FILES = ['nb_glm.h5ad', 'wilcoxon.h5ad', 't_test.h5ad', 'cells.parquet'];

interface RunRecord {
  readonly stages: readonly { readonly name: string; readonly tasks: number; readonly tasks_resumed: number }[];
}

/** A stage may run and end between two updates; the stages after it leave time enough to act. */
const hasBegun = (stages: readonly Stage[], wanted: string): boolean =>
  stages.some(({ name, state }) => name === wanted && state !== StageState.WAITING);

describe('an interrupted run', () => {
  let folder: string;
  let screen: string;
  let expected: Record<string, string>;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'shardex-test-'));
    screen = await simulatedScreen(folder);
    await runCluster(screen, join(folder, 'whole'));
    expected = await hashes(join(folder, 'whole'), FILES);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('shows no results, and goes on with --resume from what was finished, to the same bytes', async () => {
    const output = join(folder, 'resumed');
    const stop = new AbortController();
    const cancelled = await runCluster(screen, output, {
      workers: 2,
      taskNonzeros: 7_000,
      signal: stop.signal,
      watchIntervalMs: 0,
      onUpdate: ({ job }) => {
        if (hasBegun(job.stages, 'dispersion')) stop.abort();
      },
    });
    expect(cancelled.state).toBe(JobState.CANCELLED);
    expect((await readdir(output)).filter((name) => !name.startsWith('.'))).toEqual([]);

    const resumed = await runCluster(screen, output, { existingOutput: 'resume' });
    expect(resumed.state, resumed.failure?.message).toBe(JobState.SUCCEEDED);
    const { stages } = JSON.parse(await readFile(join(output, 'run.json'), 'utf8')) as RunRecord;
    const scan = stages.find(({ name }) => name === 'scan');
    // The shards are those of the first run, although this cluster would have cut one.
    expect(scan?.tasks).toBeGreaterThan(5);
    expect(scan?.tasks_resumed).toBe(scan?.tasks);
    expect(await hashes(output, FILES)).toEqual(expected);
    expect(await readdir(output)).not.toContain('.shardex-scratch');
  });

  it('is refused with --resume when a parameter differs, and says which', async () => {
    const output = join(folder, 'different');
    const stop = new AbortController();
    await runCluster(screen, output, {
      taskNonzeros: 7_000,
      signal: stop.signal,
      watchIntervalMs: 0,
      onUpdate: ({ job }) => {
        if (hasBegun(job.stages, 'control')) stop.abort();
      },
    });
    expect(await readdir(output), 'the run was not interrupted in time').not.toContain('run.json');
    const outcome = await shardex(['de', screen, '--out', output, '--nb-test', 'wald', '--workers', '1', '--resume']);
    expect(outcome.exitCode).toBe(2);
    expect(outcome.stderr).toContain('nbTest');
    expect(outcome.stderr).toContain('--force');
  });

  it('that has finished is no more resumed with other parameters than an unfinished one', async () => {
    const output = join(folder, 'finished');
    await runCluster(screen, output);
    const before = await hashes(output, FILES);
    const outcome = await shardex(['de', screen, '--out', output, '--nb-test', 'wald', '--workers', '1', '--resume']);
    expect(outcome.exitCode).toBe(2);
    expect(outcome.stderr).toContain('nbTest');
    expect(await hashes(output, FILES)).toEqual(before);
  });

  it('is refused with --resume when the input was replaced, or by another version, and says which', async () => {
    const input = join(folder, 'replaced.h5ad');
    const output = join(folder, 'replaced');
    await copyFile(screen, input);
    await runCluster(input, output);
    const before = await hashes(output, FILES);
    const resume = async (): Promise<string> => {
      const { exitCode, stderr } = await shardex(['de', input, '--out', output, '--workers', '1', '--resume']);
      expect(exitCode).toBe(2);
      return stderr;
    };

    const record = await readFile(join(output, 'run.json'), 'utf8');
    const older = { ...(JSON.parse(record) as object), shardex: '0.0.1' };
    await writeFile(join(output, 'run.json'), JSON.stringify(older));
    expect(await resume()).toContain('differs in: version of shardex');

    await writeFile(join(output, 'run.json'), record);
    await rm(input);
    const sizes = ['--cells', '1500', '--genes', '300', '--perturbations', '12', '--seed', '8'];
    expect(await shardex(['simulate', input, ...sizes])).toMatchObject({ exitCode: 0 });
    expect(await resume()).toContain('differs in: input file');
    expect(await hashes(output, FILES)).toEqual(before);
  });

  it('that Ctrl-C ended exits with 130, leaves no result and no process', async () => {
    const output = join(folder, 'interrupted');
    const child = spawn(process.execPath, [LAUNCHER, 'de', screen, '--out', output, '--workers', '2', '--json'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let stderr = '';
    let fired = false;
    const exit = new Promise<number | null>((resolve) => child.once('close', resolve));
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
      if (fired || !stderr.includes('"scan"')) return;
      fired = true;
      child.kill('SIGINT');
    });
    expect(await exit).toBe(130);
    expect(fired, 'the interrupt never fired').toBe(true);
    expect((await readdir(output)).filter((name) => !name.startsWith('.'))).toEqual([]);
  });
});
