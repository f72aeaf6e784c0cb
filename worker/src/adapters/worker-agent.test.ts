import { afterEach, describe, expect, it } from 'vitest';
import {
  CancelledError,
  InvalidInputError,
  ResourceExhaustedError,
  UnsupportedDataError,
} from '@shardex/shared/errors';
import { workerId } from '@shardex/shared/ids';
import type { GrantedTask } from '@shardex/shared/rpc';
import { createLogger } from '@shardex/shared/telemetry';
import { FakeCoordinator } from '../../../test/support/fake-coordinator.js';
import { leaseKey, type HeldTask, type LeaseKey, type TaskOutcome, type WorkerPhase } from '../domain/index.js';
import { GrpcCoordinator } from './grpc-coordinator.js';
import type { TaskRunner } from './task-runner.js';
import { WorkerAgent, type WorkerAgentOptions } from './worker-agent.js';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const granted = (taskId: string): GrantedTask => ({
  jobId: 'job',
  stage: 'fit',
  taskId,
  attempt: 1,
  scratchUri: '/scratch',
  output: `${taskId}.bin`,
  memoryBytes: 1_024,
  spec: { kind: 'fit', groupBegin: 1, groupEnd: 3 },
});

const FIGURES = {
  bytesRead: 1,
  bytesWritten: 2,
  nonzeros: 3,
  fits: 4,
  warnings: ['w'],
  wallMs: 5,
  peakResidentBytes: 6,
};

/** Tasks that end when and as the test says. */
class HandRunner implements TaskRunner {
  readonly running = new Map<
    LeaseKey,
    { task: HeldTask; progress: (fraction: number) => void; end: (outcome: TaskOutcome) => void }
  >();
  isClosed = false;

  run(task: HeldTask, progress: (fraction: number) => void): Promise<TaskOutcome> {
    return new Promise((end) => this.running.set(leaseKey(task), { task, progress, end }));
  }

  abandon(key: LeaseKey): void {
    this.end(key, { kind: 'failed', error: new CancelledError('abandoned') });
  }

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }

  complete(name: string): void {
    this.end(`${name}#1` as LeaseKey, { kind: 'completed', report: { output: `${name}.bin`, ...FIGURES } });
  }

  end(key: LeaseKey, outcome: TaskOutcome): void {
    this.running.get(key)?.end(outcome);
    this.running.delete(key);
  }
}

interface Rig {
  readonly coordinator: FakeCoordinator;
  readonly runner: HandRunner;
  readonly agent: WorkerAgent;
  readonly phases: WorkerPhase[];
}

async function startRig(threads: number, more: Partial<WorkerAgentOptions> = {}): Promise<Rig> {
  const coordinator = await FakeCoordinator.start();
  const runner = new HandRunner();
  const phases: WorkerPhase[] = [];
  const agent = new WorkerAgent({
    coordinator: new GrpcCoordinator(coordinator.address),
    runner,
    capabilities: { version: '0', host: 'here', pid: 1, threads, memoryBytes: 2 ** 40 },
    pullWaitMs: 60_000,
    coordinatorTimeoutMs: null,
    backoff: { firstMs: 1, mostMs: 20, random: () => 0.5 },
    residentBytes: () => 4_096,
    log: createLogger({ level: 'silent', name: 'worker' }),
    onPhase: (phase) => phases.push(phase),
    ...more,
  });
  cleanups.push(() => coordinator.kill());
  cleanups.push(() => agent.stop({ kind: 'stopped', reason: 'test' }));
  agent.start();
  return { coordinator, runner, agent, phases };
}

/** Grants a task and waits until a heartbeat names it: then it runs. */
async function grantAndBegin({ coordinator }: Rig, name: string): Promise<void> {
  coordinator.grant(granted(name));
  await coordinator.heartbeatWith(({ progress }) => progress.some(({ taskId }) => taskId === name));
}

/** Another coordinator at the place of the first. */
async function restart({ coordinator }: Rig, known: readonly string[], namePrefix: string): Promise<FakeCoordinator> {
  const successor = await FakeCoordinator.start({ port: coordinator.port, namePrefix });
  cleanups.push(() => successor.kill());
  for (const name of known) successor.workers.add(name);
  return successor;
}

describe('a worker and its coordinator', () => {
  it('register, exchange tasks, reports and heartbeats, and part', async () => {
    const rig = await startRig(2);
    const { coordinator, runner, agent, phases } = rig;
    expect((await coordinator.next('register')).capabilities).toMatchObject({ threads: 2, memoryBytes: 2n ** 40n });
    await grantAndBegin(rig, 'a');
    expect(runner.running.get('a#1' as LeaseKey)?.task).toEqual(granted('a'));
    runner.complete('a');
    expect(await coordinator.next('complete')).toMatchObject({
      workerId: 'worker-1',
      taskId: 'a',
      attempt: 1,
      report: { output: 'a.bin', bytesRead: 1n, fits: 4n, warnings: ['w'], wallMs: 5, peakResidentBytes: 6n },
    });
    await grantAndBegin(rig, 'b');
    runner.end('b#1' as LeaseKey, {
      kind: 'failed',
      error: new ResourceExhaustedError('too much', { hint: 'take less', details: { bytes: 7 } }),
    });
    expect(await coordinator.next('fail')).toMatchObject({
      taskId: 'b',
      tag: 'ResourceExhausted',
      message: 'too much',
      hint: 'take less',
      details: { bytes: '7' },
    });
    agent.drain('SIGTERM', 60_000);
    expect(await coordinator.next('drain')).toMatchObject({ workerId: 'worker-1', reason: 'SIGTERM' });
    expect(await agent.finished).toEqual({ kind: 'drained' });
    expect(runner.isClosed).toBe(true);
    expect(phases).toEqual(['REGISTERED', 'RUNNING', 'DRAINING', 'STOPPED']);
  });

  it('hold as many pulls as there are free slots', async () => {
    const rig = await startRig(3);
    for (let pull = 0; pull < 3; pull++) await rig.coordinator.next('pull');
    await grantAndBegin(rig, 'a');
    expect(rig.coordinator.all('pull')).toHaveLength(3);
    rig.runner.complete('a');
    await rig.coordinator.next('pull');
    expect(rig.coordinator.all('pull')).toHaveLength(4);
  });

  it('tell each other how far a task is and how much memory is in use', async () => {
    const rig = await startRig(1);
    await grantAndBegin(rig, 'a');
    rig.runner.running.get('a#1' as LeaseKey)?.progress(0.25);
    const heartbeat = await rig.coordinator.heartbeatWith(({ progress }) => progress[0]?.fraction === 0.25);
    expect(heartbeat).toMatchObject({
      workerId: 'worker-1',
      residentBytes: 4_096n,
      progress: [{ taskId: 'a', attempt: 1 }],
    });
  });

  it('give up a task that is wanted no more, without a report, and go on with the next', async () => {
    const rig = await startRig(1);
    const { coordinator, runner } = rig;
    await coordinator.next('pull');
    await grantAndBegin(rig, 'a');
    coordinator.toAbandon.add('a');
    await coordinator.next('pull');
    expect(runner.running.size).toBe(0);
    await grantAndBegin(rig, 'b');
    runner.complete('b');
    expect((await coordinator.next('complete')).taskId).toBe('b');
    expect(coordinator.all('fail')).toEqual([]);
  });

  it('fail a lease that this version cannot read, and go on', async () => {
    const rig = await startRig(1);
    const unreadable = { ...granted('a'), spec: { kind: 'none' } } as unknown as GrantedTask;
    rig.coordinator.grant(unreadable);
    expect(await rig.coordinator.next('fail')).toMatchObject({ taskId: 'a', attempt: 1, tag: 'InvalidInput' });
    await grantAndBegin(rig, 'b');
  });
});

describe('a worker whose coordinator goes away', () => {
  it('delivers a report to the successor that knows it, under the same id', async () => {
    const rig = await startRig(1);
    await grantAndBegin(rig, 'a');
    rig.coordinator.kill();
    rig.runner.complete('a');
    const successor = await restart(rig, ['worker-1'], 'other');
    expect(await successor.next('complete')).toMatchObject({ workerId: 'worker-1', taskId: 'a' });
    expect(successor.all('register')).toEqual([]);
    expect(successor.all('complete')).toHaveLength(1);
  });

  it('registers with a successor that does not know it and delivers the report under the new id', async () => {
    const rig = await startRig(2);
    await grantAndBegin(rig, 'a');
    rig.coordinator.kill();
    rig.runner.complete('a');
    const successor = await restart(rig, [], 'other');
    expect(await successor.next('complete')).toMatchObject({ workerId: 'other-1', taskId: 'a' });
    expect(successor.order.slice(0, 2)).toEqual(['register', 'complete']);
    expect(rig.phases).toEqual(['REGISTERED', 'RUNNING', 'REGISTERED', 'INITIALISED', 'REGISTERED', 'RUNNING']);
  });

  it('keeps running what it runs, and names it to the successor', async () => {
    const rig = await startRig(1);
    await grantAndBegin(rig, 'a');
    rig.coordinator.kill();
    const successor = await restart(rig, [], 'other');
    await successor.heartbeatWith(({ workerId, progress }) => workerId === 'other-1' && progress[0]?.taskId === 'a');
    expect(rig.runner.running.size).toBe(1);
  });

  it('waits for a coordinator that is not there yet', async () => {
    const place = await FakeCoordinator.start();
    place.kill();
    const rig = await startRig(1, { coordinator: new GrpcCoordinator(place.address) });
    const late = await FakeCoordinator.start({ port: place.port });
    cleanups.push(() => late.kill());
    await late.next('pull');
    expect(rig.phases).toEqual(['REGISTERED', 'RUNNING']);
  });

  it('gives up after the time it was given', async () => {
    const place = await FakeCoordinator.start();
    place.kill();
    const rig = await startRig(1, { coordinator: new GrpcCoordinator(place.address), coordinatorTimeoutMs: 20 });
    expect(await rig.agent.finished).toMatchObject({ kind: 'failed', error: { tag: 'WorkerLost' } });
  });
});

describe('a coordinator that refuses', () => {
  it('a heartbeat with unknown_worker is registered with again', async () => {
    const rig = await startRig(1);
    await grantAndBegin(rig, 'a');
    await rig.coordinator.next('register');
    rig.coordinator.workers.clear();
    await rig.coordinator.next('register');
    await rig.coordinator.heartbeatWith(({ progress }) => progress.length === 1);
    rig.runner.complete('a');
    expect((await rig.coordinator.next('complete')).taskId).toBe('a');
  });

  it('a registration for good ends the worker with its reason', async () => {
    const coordinator = await FakeCoordinator.start();
    cleanups.push(() => coordinator.kill());
    coordinator.refusals.set('register', [new UnsupportedDataError('version 0 is too old')]);
    const rig = await startRig(1, { coordinator: new GrpcCoordinator(coordinator.address) });
    expect(await rig.agent.finished).toMatchObject({ kind: 'failed', error: { message: 'version 0 is too old' } });
  });

  it('a report twice is left alone, and the worker goes on', async () => {
    const rig = await startRig(1);
    const no = new InvalidInputError('no such job');
    rig.coordinator.refusals.set('complete', [no, no]);
    await grantAndBegin(rig, 'a');
    rig.runner.complete('a');
    await rig.coordinator.next('complete');
    await rig.coordinator.next('complete');
    await grantAndBegin(rig, 'b');
    expect(rig.coordinator.all('complete')).toHaveLength(2);
  });
});

describe('a drain', () => {
  it('cancels the pulls, finishes and reports what runs, then leaves', async () => {
    const rig = await startRig(2);
    const { coordinator, runner, agent } = rig;
    await grantAndBegin(rig, 'a');
    agent.drain('SIGTERM', 60_000);
    await coordinator.next('pullCancelled');
    runner.complete('a');
    expect(await agent.finished).toEqual({ kind: 'drained' });
    expect(coordinator.order.slice(-3)).toEqual(['pullCancelled', 'complete', 'drain']);
  });

  it('gives back what does not finish in time', async () => {
    const rig = await startRig(1);
    await grantAndBegin(rig, 'a');
    rig.agent.drain('SIGTERM', 0);
    expect(await rig.coordinator.next('drain')).toMatchObject({ workerId: workerId('worker-1') });
    expect(await rig.agent.finished).toEqual({ kind: 'drained' });
    expect(rig.coordinator.all('complete')).toEqual([]);
    expect(rig.coordinator.all('fail')).toEqual([]);
  });

  it('ends without a coordinator when the grace time is over', async () => {
    const rig = await startRig(1);
    await grantAndBegin(rig, 'a');
    rig.coordinator.kill();
    rig.agent.drain('SIGTERM', 0);
    expect(await rig.agent.finished).toEqual({ kind: 'drained' });
  });
});
