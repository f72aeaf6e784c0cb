import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { describeWithPart } from '../support/required-part.js';
import { addressOf, type LoggingProcess, type LogLine } from '../support/standing-cluster.js';
import { ended, FaultBench, freezeWorker, reached, TASK_STAGES } from './fault-bench.js';
import { makeTwoHosts, reasonWithoutNamespaces, type TwoHosts } from './network-namespaces.js';
import { startSlowRelay, type SlowRelay } from './slow-relay.js';

let bench: FaultBench;
beforeAll(async () => {
  bench = await FaultBench.open();
});
afterEach(() => bench.killAll());
afterAll(() => bench.close());

const reason = reasonWithoutNamespaces();

describeWithPart({
  part: 'network',
  name: 'between two hosts',
  probe: () => (reason === null ? true : null),
  reason: reason ?? '',
  body: betweenTwoHosts,
});

function betweenTwoHosts(): void {
  let hosts: TwoHosts;
  beforeEach(() => {
    hosts = makeTwoHosts();
  });
  afterEach(() => hosts.remove());

  /** The coordinator and one worker on the first host, another on the second. */
  async function cluster(
    state: string,
  ): Promise<{ coordinator: LoggingProcess; near: LoggingProcess; far: LoggingProcess }> {
    const at = `${hosts.address}:7443`;
    const coordinator = await bench.coordinator(state, { at, within: hosts.first, more: ['--allow-insecure'] });
    const far = bench.worker(at, { within: hosts.second });
    await far.said((line) => line.text === 'registered');
    const near = bench.worker(at, { within: hosts.first });
    await near.said((line) => line.text === 'registered');
    return { coordinator, near, far };
  }

  it.each(TASK_STAGES)(
    'a partition in %s: the work of the other side is done on this one, and it comes back',
    async (stage) => {
      const { output, state } = bench.place();
      const { coordinator, far } = await cluster(state);
      const worker = far.lines.find((line) => line.text === 'registered')?.['worker'];
      const isGranted = (line: LogLine): boolean => reached(stage)(line) && line['worker'] === worker;
      const partition = async (from: number): Promise<(() => number) | null> => {
        const line = await coordinator.said((one) => isGranted(one) || ended(one), from);
        return ended(line) ? null : hosts.partition();
      };
      const dropped = await bench.submitAndHit(coordinator, output, partition, { within: hosts.first });
      await coordinator.said((line) => line.event === 'worker-lost' && line['worker'] === worker);
      await bench.end(coordinator);
      const packets = dropped();
      expect(packets).toBeGreaterThan(0);
      const from = far.lines.length;
      hosts.heal();
      await far.said((line) => line.text === 'registered', from);
      await bench.survived(coordinator, output, `partition in ${stage}, ${packets} packets dropped`);
      await bench.leavesNothing(coordinator, output, state);
    },
  );

  it('a tenth of all packets is lost', async () => {
    const { output, state } = bench.place();
    const { coordinator } = await cluster(state);
    const dropped = hosts.lose(10);
    await bench.submit(coordinator, output, { within: hosts.first });
    await bench.end(coordinator);
    const packets = dropped();
    expect(packets).toBeGreaterThan(0);
    hosts.heal();
    await bench.survived(coordinator, output, `a tenth of the packets lost, ${packets}`);
    await bench.leavesNothing(coordinator, output, state);
  });
}

describe('a slow network', () => {
  let relay: SlowRelay;
  afterEach(() => relay.close());

  it('that takes a quarter of a second each way', async () => {
    const { output, state } = bench.place();
    const coordinator = await bench.coordinator(state);
    relay = await startSlowRelay(await addressOf(coordinator), 250);
    await bench.workers(relay.address, 2);
    await bench.submit(coordinator, output);
    await bench.survived(coordinator, output, '250 ms of delay each way');
    expect(relay.delayed()).toBeGreaterThan(50);
    await bench.leavesNothing(coordinator, output, state);
  });

  it('that tears all connections in every stage', async () => {
    const { output, state } = bench.place();
    const coordinator = await bench.coordinator(state);
    relay = await startSlowRelay(await addressOf(coordinator), 0);
    const workers = await bench.workers(relay.address, 2);
    await bench.submit(coordinator, output);
    for (const stage of TASK_STAGES) {
      const frozen = await freezeWorker(coordinator, workers, stage);
      expect(frozen, `the fault came too late for ${stage}`).not.toBeNull();
      expect(relay.cut()).toBeGreaterThan(0);
      frozen?.victim.kill('SIGCONT');
    }
    await bench.survived(coordinator, output, `connections torn in ${TASK_STAGES.join(', ')}`);
    await bench.leavesNothing(coordinator, output, state);
  });
});
