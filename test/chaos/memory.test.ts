import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { addressOf } from '../support/standing-cluster.js';
import { FaultBench, givenUp, TASK_STAGES } from './fault-bench.js';
import { makeMemoryGroup, reasonWithoutGroup, type MemoryGroup } from './memory-group.js';

/** The next page that a worker asks for is one too many. With room for a few it may live on, reading every file again and again. */
const NOTHING = 0;

const reason = reasonWithoutGroup();
if (reason !== null) process.stderr.write(`skipped "memory that runs out": ${reason}\n`);

describe.skipIf(reason !== null)('memory that runs out', () => {
  let bench: FaultBench;
  let group: MemoryGroup;
  beforeAll(async () => {
    bench = await FaultBench.open();
  });
  beforeEach(() => {
    group = makeMemoryGroup(NOTHING);
  });
  afterEach(async () => {
    await bench.killAll();
    group.remove();
  });
  afterAll(() => bench.close());

  it.each(TASK_STAGES)(
    'in the middle of a task of %s: the kernel kills the worker, the task goes elsewhere',
    async (stage) => {
      const { output, state } = bench.place();
      const coordinator = await bench.coordinator(state);
      const workers = await bench.workers(await addressOf(coordinator), 2);
      const { victim, held } = await bench.submitAndFreeze(coordinator, workers, output, stage);
      group.take(victim.pid);
      victim.kill('SIGCONT');
      await victim.exited;
      expect(group.killed()).toBe(1);
      await givenUp(coordinator, held);
      await bench.survived(coordinator, output, `the kernel's SIGKILL for want of memory in ${stage}`);
      await bench.leavesNothing(coordinator, output, state);
    },
  );
});
