import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { addressOf, type LogLine } from '../support/standing-cluster.js';
import { FaultBench, TASK_STAGES } from './fault-bench.js';

/** So long that no lease ends before the job would have to. */
const PATIENT = { more: ['--lease-ms', '120000'] };

let bench: FaultBench;
beforeAll(async () => {
  bench = await FaultBench.open();
});
afterEach(() => bench.killAll());
afterAll(() => bench.close());

describe('a worker that stands still under a long lease, in the middle of a task', () => {
  it.each(TASK_STAGES)('of %s: the other one does it too, and the job ends without the lease', async (stage) => {
    const { output, state } = bench.place();
    const coordinator = await bench.coordinator(state, PATIENT);
    const workers = await bench.workers(await addressOf(coordinator), 2);
    const { victim, held } = await bench.submitAndFreeze(coordinator, workers, output, stage);
    const end = await bench.end(coordinator);
    expect(end, coordinator.stderr).toMatchObject({ event: 'job-succeeded' });
    await bench.sameBytes(output, `a worker that stands still in ${stage}, its task done twice`);

    const about = (event: string): LogLine[] =>
      coordinator.lines.filter((line) => line.event === event && line['task'] === held['task']);
    expect(about('task-doubled')).toMatchObject([{ worker: held['worker'], attempt: held['attempt'] }]);
    expect(about('task-outrun')).toMatchObject([{ worker: held['worker'], attempt: held['attempt'] }]);
    const [done] = about('task-done');
    expect(done['worker']).not.toBe(held['worker']);
    for (const event of ['lease-expired', 'worker-lost', 'task-retried'])
      expect(coordinator.lines.map((line) => line.event)).not.toContain(event);

    const from = victim.lines.length;
    victim.kill('SIGCONT');
    // Whichever comes first: its report, which is refused, or word that nobody waits for it.
    await victim.said(
      ({ text = '' }) => text === 'abandoning a task' || text.startsWith('the attempt was stale'),
      from,
    );
    await bench.survived(coordinator, output, `SIGCONT, ${stage} being over`);
    await bench.leavesNothing(coordinator, output, state);
  });
});

describe('a coordinator that is killed', () => {
  it('while two workers are at one task: the next one counts on from the higher attempt', async () => {
    const { output, state } = bench.place();
    const first = await bench.coordinator(state, PATIENT);
    const address = await addressOf(first);
    const workers = await bench.workers(address, 2);
    const { victim, held } = await bench.submitAndFreeze(first, workers, output, 'dispersion');
    await first.said((line) => line.event === 'task-doubled' && line['task'] === held['task']);
    first.kill('SIGKILL');
    await first.exited;
    const second = await bench.coordinator(state, { ...PATIENT, at: address });
    victim.kill('SIGCONT');
    await bench.survived(second, output, 'SIGKILL of the coordinator with two workers at one task');
    const again = second.lines.filter((line) => line.event === 'task-granted' && line['task'] === held['task']);
    // Unless the second attempt was done before the new coordinator looked.
    for (const line of again) expect(line['attempt']).toBeGreaterThan(2);
    await bench.leavesNothing(second, output, state);
  });
});
