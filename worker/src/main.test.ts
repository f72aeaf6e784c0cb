import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { GrantedTask } from '@shardex/shared/rpc';
import { FakeCoordinator } from '../../test/support/fake-coordinator.js';
import { main } from './main.js';

const fixture = (name: string): string => fileURLToPath(new URL(`./pool/fixtures/${name}`, import.meta.url));
const WORKER = fixture('worker-from-sources.mjs');

const cleanups: (() => unknown)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

interface Outcome {
  readonly code: number | null;
  readonly stderr: string;
}

interface Started {
  readonly child: ChildProcessWithoutNullStreams;
  readonly outcome: Promise<Outcome>;
}

/** A real worker process; its environment has no setting of the machine that runs the tests. */
function start(args: readonly string[], environment: Record<string, string> = {}, entry = WORKER): Started {
  const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('SHARDEX_')));
  const child = spawn(process.execPath, [entry, ...args], { env: { ...clean, ...environment } });
  cleanups.push(() => child.kill('SIGKILL'));
  const outcome = Promise.all([once(child, 'close'), text(child.stderr)]).then(([[code], stderr]) => {
    return { code: code as number | null, stderr };
  });
  return { child, outcome };
}

async function startCoordinator(): Promise<FakeCoordinator> {
  const coordinator = await FakeCoordinator.start();
  cleanups.push(() => coordinator.kill());
  return coordinator;
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'shardex-worker-'));
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const granted = (output: string, scratchUri = '/nowhere'): GrantedTask => ({
  jobId: 'job',
  stage: 'fit',
  taskId: `fit-${output}`,
  attempt: 1,
  scratchUri,
  output,
  memoryBytes: 1_024,
  spec: { kind: 'fit', groupBegin: 1, groupEnd: 2 },
});

const begun = (coordinator: FakeCoordinator): Promise<unknown> =>
  coordinator.heartbeatWith(({ progress }) => progress.length > 0);

/** The last line that is a sentence and not of the log. */
const sentence = ({ stderr }: Outcome): string | undefined =>
  stderr.split('\n').findLast((line) => line.startsWith('shardex worker: '));

describe('a worker process', () => {
  it('takes its settings from flags, then variables, then the file', async () => {
    const coordinator = await startCoordinator();
    const config = join(temporaryFolder(), 'worker.yaml');
    writeFileSync(config, 'coordinator: 127.0.0.1:1\nthreads: 2\nmemory: 3GiB\nlog-level: error\n');
    const args = ['--config', config, '--coordinator', coordinator.address];
    const { child, outcome } = start(args, { SHARDEX_MEMORY: '2GiB', SHARDEX_LOG_LEVEL: 'silent' });
    const { capabilities } = await coordinator.next('register');
    expect(capabilities).toMatchObject({ threads: 2, memoryBytes: 2n * 2n ** 30n, pid: child.pid });
    expect(capabilities?.version).toMatch(/^\d+\.\d+\.\d+$/);
    await coordinator.next('pull');
    child.kill('SIGTERM');
    expect(await outcome).toEqual({ code: 0, stderr: '' });
    expect(coordinator.all('drain')).toHaveLength(1);
  });

  it('finishes and reports what runs after SIGTERM, takes nothing new, and ends with 0', async () => {
    const coordinator = await startCoordinator();
    const { child, outcome } = start(['--coordinator', coordinator.address, '--threads', '2']);
    const file = join(temporaryFolder(), 'go');
    coordinator.grant(granted('until-file', file));
    await begun(coordinator);
    child.kill('SIGTERM');
    await coordinator.next('pullCancelled');
    coordinator.grant(granted('answer'));
    writeFileSync(file, '');
    expect((await coordinator.next('complete')).taskId).toBe('fit-until-file');
    expect(await outcome).toMatchObject({ code: 0 });
    expect(coordinator.order.slice(-3)).toEqual(['pullCancelled', 'complete', 'drain']);
  });

  it('takes a signal that comes several times at once for one', async () => {
    const coordinator = await startCoordinator();
    const { child, outcome } = start(['--coordinator', coordinator.address, '--threads', '2']);
    const file = join(temporaryFolder(), 'go');
    coordinator.grant(granted('until-file', file));
    await begun(coordinator);
    child.kill('SIGTERM');
    child.kill('SIGINT');
    child.kill('SIGTERM');
    await coordinator.next('pullCancelled');
    writeFileSync(file, '');
    expect((await coordinator.next('complete')).taskId).toBe('fit-until-file');
    expect(await outcome).toMatchObject({ code: 0 });
  });

  it('gives back what a drain cannot finish in time, even when the task computes without a pause', async () => {
    const coordinator = await startCoordinator();
    const { child, outcome } = start(['--coordinator', coordinator.address, '--threads', '1', '--drain-grace-ms', '0']);
    coordinator.grant(granted('stubborn'));
    await begun(coordinator);
    child.kill('SIGINT');
    await coordinator.next('drain');
    expect(await outcome).toMatchObject({ code: 0 });
  });

  it('ends with what it was told to once it has drained', async () => {
    const coordinator = await startCoordinator();
    const { child, outcome } = start(['--coordinator', coordinator.address, '--threads', '1'], {
      SHARDEX_DRAINED_EXIT_CODE: '75',
    });
    await coordinator.next('pull');
    child.kill('SIGTERM');
    expect(await outcome).toMatchObject({ code: 75 });
    expect(coordinator.all('drain')).toHaveLength(1);
  });

  it('stops at once at the second signal, and says so', async () => {
    const coordinator = await startCoordinator();
    const { child, outcome } = start(['--coordinator', coordinator.address, '--threads', '2']);
    coordinator.grant(granted('stubborn'));
    await begun(coordinator);
    child.kill('SIGTERM');
    await coordinator.next('pullCancelled');
    // What comes within a second of the first is not yet another.
    const again = setInterval(() => child.kill('SIGTERM'), 100);
    cleanups.push(() => clearInterval(again));
    const ended = await outcome;
    expect(ended.code).toBe(1);
    expect(sentence(ended)).toContain('stopped at once (second SIGTERM)');
    expect(coordinator.all('drain')).toEqual([]);
  });

  it('fails the task of a thread that dies, with a typed reason, and goes on', async () => {
    const coordinator = await startCoordinator();
    start(['--coordinator', coordinator.address, '--threads', '1', '--memory', '64MiB']);
    coordinator.grant(granted('out-of-memory'));
    expect(await coordinator.next('fail')).toMatchObject({
      taskId: 'fit-out-of-memory',
      tag: 'ResourceExhausted',
      message: 'compute thread 1 ran out of its 64 MiB of memory while running a fit task',
    });
    coordinator.grant(granted('exit'));
    expect(await coordinator.next('fail')).toMatchObject({ taskId: 'fit-exit', tag: 'InvariantBroken' });
    coordinator.grant(granted('answer'));
    expect(await coordinator.next('complete')).toMatchObject({ taskId: 'fit-answer', report: { output: 'answer' } });
  });

  it('ends with the process that started it', async () => {
    const coordinator = await startCoordinator();
    const args = [WORKER, '--coordinator', coordinator.address, '--threads', '1', '--exit-with-parent'];
    const { child, outcome } = start(args, {}, fixture('dying-parent.mjs'));
    coordinator.grant(granted('stubborn'));
    await begun(coordinator);
    child.kill('SIGKILL');
    // The worker shares the parent's stderr, so the stream ends when both are gone.
    expect(sentence(await outcome)).toContain('the process that started this worker has ended');
  });
});

describe('wrong use', () => {
  it.each([
    [['--coordinater', 'x:1'], "shardex worker: unknown option '--coordinater': did you mean --coordinator?"],
    [['--threads', 'many'], 'shardex worker: --threads "many" is not a whole number'],
    [['--memory', 'lots'], 'shardex worker: --memory "lots" is not a memory size'],
    [['--config', '/no/such/file.yaml'], 'shardex worker: reading /no/such/file.yaml: no such file'],
    [['--exit-with-parent', 'maybe'], '--exit-with-parent: unknown value "maybe"'],
    [['extra'], 'shardex worker: too many arguments'],
  ])('%j ends with 2 and one sentence', async (args, expected) => {
    const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const code = await main(args);
    const said = write.mock.calls.map(([line]) => String(line)).join('');
    write.mockRestore();
    expect(code).toBe(2);
    expect(said.trim().split('\n')).toHaveLength(1);
    expect(said).toContain(expected);
  });

  it('is told by a process too', async () => {
    const ended = await start(['--threads', '0']).outcome;
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining('--threads "0"') as string });
  });
});
