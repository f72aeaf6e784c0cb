import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { addressOf } from '../support/standing-cluster.js';
import { ended, FaultBench, freezeWorker, givenUp, TASK_STAGES } from './fault-bench.js';

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
    await bench.submit(coordinator, output);
    const { victim, held } = await freezeWorker(coordinator, workers, stage);
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
    await bench.submit(coordinator, output);
    const { victim, held } = await freezeWorker(coordinator, workers, stage);
    await givenUp(coordinator, held);
    // It sleeps until everything is over.
    await coordinator.said(ended);
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
