import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { addressOf } from '../support/standing-cluster.js';
import { shardex } from '../support/shardex.js';
import { ended, FaultBench, reached, STAGES } from './fault-bench.js';

let bench: FaultBench;
beforeAll(async () => {
  bench = await FaultBench.open();
});
afterEach(() => bench.killAll());
afterAll(() => bench.close());

describe('SIGKILL of the coordinator', () => {
  it('in every stage of one job: the next one goes on with the same job and the same workers', async () => {
    const { output, state } = bench.place();
    let coordinator = await bench.coordinator(state);
    const address = await addressOf(coordinator);
    const workers = await bench.workers(address, 2);
    const job = await bench.submit(coordinator, output);
    for (const stage of STAGES) {
      await coordinator.said((line) => reached(stage)(line) || ended(line));
      coordinator.kill('SIGKILL');
      await coordinator.exited;
      expect(coordinator.lines.some(ended), `the fault came too late for ${stage}`).toBe(false);
      expect(await readdir(output)).not.toContain('run.json');
      coordinator = await bench.coordinator(state, { at: address });
    }
    expect(await coordinator.said(ended), coordinator.stderr).toMatchObject({ event: 'job-succeeded', job });
    for (const worker of workers) {
      expect(worker.isOver).toBe(false);
      expect(worker.lines.filter((line) => line.text === 'registered').length).toBeGreaterThan(1);
    }
    const logs = await shardex(['logs', job, '--coordinator', address]);
    for (const text of ['stages scan, ', 'the coordinator was started again', 'every stage is done'])
      expect(logs.stdout).toContain(text);
    const record = JSON.parse(await readFile(join(output, 'run.json'), 'utf8')) as {
      stages: { tasks_resumed: number }[];
    };
    expect(record.stages[0].tasks_resumed).toBeGreaterThan(0);
    await bench.survived(coordinator, output, `SIGKILL of the coordinator in ${STAGES.join(', ')}`);
    await bench.leavesNothing(coordinator, output, state);
  });

  it('and the loss of its scratch: everything is made again', async () => {
    const { output, state } = bench.place();
    const first = await bench.coordinator(state);
    const address = await addressOf(first);
    await bench.workers(address, 2);
    await bench.submit(first, output);
    await first.said(reached('dispersion'));
    first.kill('SIGKILL');
    await first.exited;
    await rm(join(output, '.shardex-scratch'), { recursive: true });
    const second = await bench.coordinator(state, { at: address });
    await bench.survived(second, output, 'SIGKILL of the coordinator in dispersion, its scratch removed');
    await bench.leavesNothing(second, output, state);
  });
});
