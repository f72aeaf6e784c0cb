import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { addressOf, type LogLine } from '../support/standing-cluster.js';
import { ended, FaultBench, freezeWorker, isTasks, reached, TASK_STAGES } from './fault-bench.js';
import { flipByte } from './flip-byte.js';
import { makeSmallDisk, reasonWithoutDisk, type SmallDisk } from './small-disk.js';

let bench: FaultBench;
beforeAll(async () => {
  bench = await FaultBench.open();
});
afterEach(() => bench.killAll());
afterAll(() => bench.close());

const reason = reasonWithoutDisk();
if (reason !== null) process.stderr.write(`skipped "a full disk": ${reason}\n`);

describe.skipIf(reason !== null)('a full disk', () => {
  let disk: SmallDisk;
  beforeEach(() => {
    disk = makeSmallDisk(48);
  });
  afterEach(async () => {
    await bench.killAll();
    disk.remove();
  });

  it.each([...TASK_STAGES, 'size-factors', 'trend'])('of scratch in %s is waited out', async (stage) => {
    const { output, state } = bench.place();
    const coordinator = await bench.coordinator(state);
    const workers = await bench.workers(await addressOf(coordinator), 2);
    const fill = async (from: number): Promise<LogLine | null> => {
      disk.free();
      // Whoever is at work stands still until the disk is full.
      const writer = isTasks(stage)
        ? (await freezeWorker(coordinator, workers, stage, from))?.victim
        : await coordinator.said(reached(stage), from).then(() => coordinator);
      if (writer === undefined) return null;
      writer.kill('SIGSTOP');
      expect(disk.fill()).toBeGreaterThan(0);
      writer.kill('SIGCONT');
      const isHit = (line: LogLine): boolean => line['reason'] === 'ResourceExhausted' && line['stage'] === stage;
      const line = await coordinator.said((one) => isHit(one) || ended(one), from);
      return ended(line) ? null : line;
    };
    const repeated = await bench.submitAndHit(coordinator, output, fill, { more: ['--scratch', disk.folder] });
    expect(repeated.event).toMatch(/task-(retried|split)|stage-retried/);
    disk.free();
    await bench.survived(coordinator, output, `full disk of scratch in ${stage}`);
    await bench.leavesNothing(coordinator, output, state);
    expect(await readdir(disk.folder)).toEqual([]);
  });

  it('that stays full fails the job, which says so and can be resumed', async () => {
    const { output, state } = bench.place();
    const coordinator = await bench.coordinator(state);
    await bench.workers(await addressOf(coordinator), 2);
    const place = ['--scratch', disk.folder];
    await bench.submit(coordinator, output, { more: place });
    await coordinator.said(reached('fit'));
    disk.fill();
    const end = await coordinator.said(ended);
    expect(end).toMatchObject({ event: 'job-failed', reason: 'ResourceExhausted' });
    expect(String(end.text)).toMatch(/stage fit failed after \d+ attempts: .*the disk is full/i);
    expect((await readdir(output)).filter((name) => !name.startsWith('.'))).toEqual([]);
    disk.free();
    const from = coordinator.lines.length;
    await bench.submit(coordinator, output, { more: [...place, '--resume'] });
    expect(await coordinator.said(ended, from)).toMatchObject({ event: 'job-succeeded' });
    await bench.sameBytes(output, 'full disk of scratch for good, then --resume');
    await bench.leavesNothing(coordinator, output, state);
  });

  it('of the results in merge is waited out', async () => {
    const { output, state } = bench.place();
    const results = join(disk.folder, 'results');
    const coordinator = await bench.coordinator(state);
    await bench.workers(await addressOf(coordinator), 2);
    await bench.submit(coordinator, results, { more: ['--scratch', output] });
    await coordinator.said(reached('trend'));
    disk.fill();
    await coordinator.said((line) => line.event === 'stage-retried' && line['reason'] === 'ResourceExhausted');
    disk.free();
    await bench.survived(coordinator, results, 'full disk of results in merge');
    await bench.leavesNothing(coordinator, results, state);
  });

  it('of the journal ends the coordinator, and the next one goes on', async () => {
    const { output } = bench.place();
    const state = join(disk.folder, 'state');
    const first = await bench.coordinator(state);
    const address = await addressOf(first);
    await bench.workers(address, 2);
    await bench.submit(first, output);
    await first.said(reached('control'));
    disk.fill();
    expect(await first.exited).toBe(1);
    expect(first.stderr).toMatch(/no space left/i);
    disk.free();
    const second = await bench.coordinator(state, { at: address });
    await bench.survived(second, output, 'full disk of the journal in control');
    await bench.leavesNothing(second, output, state);
  });
});

describe('a damaged object of scratch', () => {
  it.each(TASK_STAGES)('that %s left is noticed by its reader and made again', async (stage) => {
    const { output, state } = bench.place();
    const coordinator = await bench.coordinator(state);
    await bench.workers(await addressOf(coordinator), 2);
    await bench.submit(coordinator, output);
    const { task } = await coordinator.said((line) => line.event === 'task-done' && line['stage'] === stage);
    await flipByte(join(output, '.shardex-scratch'), String(task));
    await coordinator.said((line) => line.event === 'stage-reopened' && line['task'] === task);
    await bench.survived(coordinator, output, `a flipped byte in an output of ${stage}`);
    await bench.leavesNothing(coordinator, output, state);
  });
});
