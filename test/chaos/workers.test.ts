import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { addressOf, type LogLine } from '../support/standing-cluster.js';
import { FaultBench, givenUp, TASK_STAGES } from './fault-bench.js';

let bench: FaultBench;
beforeAll(async () => {
  bench = await FaultBench.open();
});
afterEach(() => bench.killAll());
afterAll(() => bench.close());

describe('SIGKILL of a worker in the middle of a task', () => {
  it.each(TASK_STAGES)('of %s: the task goes elsewhere', async (stage) => {
    const { output, state } = bench.place();
    const coordinator = await bench.coordinator(state);
    const workers = await bench.workers(await addressOf(coordinator), 2);
    const { victim, held } = await bench.submitAndFreeze(coordinator, workers, output, stage);
    victim.kill('SIGKILL');
    await givenUp(coordinator, held);
    await bench.survived(coordinator, output, `SIGKILL of a worker in ${stage}`);
    await bench.leavesNothing(coordinator, output, state);
  });
});

describe('SIGSTOP of a worker in the middle of a task', () => {
  it.each(TASK_STAGES)('of %s: the task goes elsewhere, and the sleeper is not believed', async (stage) => {
    const { output, state } = bench.place();
    const coordinator = await bench.coordinator(state);
    const workers = await bench.workers(await addressOf(coordinator), 2);
    const { victim, held } = await bench.submitAndFreeze(coordinator, workers, output, stage);
    await givenUp(coordinator, held);
    // It sleeps until everything is over.
    await bench.end(coordinator);
    await bench.sameBytes(output, `SIGSTOP of a worker in ${stage}`);
    const from = victim.lines.length;
    victim.kill('SIGCONT');
    await victim.said((line) => line.text === 'registered', from);
    // Whichever comes first: its report, which is refused, or word that nobody waits for it.
    const isLetGo = ({ text = '' }: (typeof victim.lines)[number]): boolean =>
      text === 'abandoning a task' || text.startsWith('the attempt was stale');
    await victim.said(isLetGo, from);
    const done = coordinator.lines.filter((line) => line.event === 'task-done' && line['task'] === held['task']);
    expect(done.map((line) => line['worker'])).not.toContain(held['worker']);
    await bench.survived(coordinator, output, `SIGCONT, ${stage} being over`);
    await bench.leavesNothing(coordinator, output, state);
  });
});

describe('a stage of one task', () => {
  const UNCUT = { more: ['--task-nonzeros', '1000000000'] };
  const granted = (stage: string, attempt: number) => (line: LogLine) =>
    line.event === 'task-granted' && line['stage'] === stage && line['attempt'] === attempt;

  it.each(TASK_STAGES)('%s that costs two workers is done in halves', async (stage) => {
    const { output, state } = bench.place();
    const coordinator = await bench.coordinator(state, UNCUT);
    const address = await addressOf(coordinator);
    await bench.submit(coordinator, output);
    for (const attempt of [1, 2]) {
      const victim = bench.worker(address);
      await coordinator.said(granted(stage, attempt));
      victim.kill('SIGKILL');
      await victim.exited;
    }
    await coordinator.said((line) => line.event === 'task-split' && line['stage'] === stage);
    await bench.workers(address, 1);
    await bench.survived(coordinator, output, `SIGKILL of two workers on one task of ${stage}`);
    const { stages } = JSON.parse(await readFile(join(output, 'run.json'), 'utf8')) as {
      stages: { name: string; tasks: number }[];
    };
    expect(stages.find(({ name }) => name === stage)?.tasks).toBe(2);
    await bench.leavesNothing(coordinator, output, state);
  });

  it.each(['control', 'dispersion', 'fit'])('%s finds all scratch gone, and it is made again', async (stage) => {
    const { output, state } = bench.place();
    const coordinator = await bench.coordinator(state, UNCUT);
    const address = await addressOf(coordinator);
    const first = bench.worker(address);
    await bench.submit(coordinator, output);
    await coordinator.said(granted(stage, 1));
    // Whoever has read it before may not need it again.
    first.kill('SIGKILL');
    await first.exited;
    await rm(join(output, '.shardex-scratch'), { recursive: true });
    await bench.workers(address, 1);
    await bench.survived(coordinator, output, `all scratch removed in ${stage}`);
    expect(coordinator.lines.some(({ event }) => event === 'stage-reopened')).toBe(true);
    await bench.leavesNothing(coordinator, output, state);
  });
});
