import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { addressOf } from '../support/standing-cluster.js';
import { FaultBench, reached } from './fault-bench.js';

const PRELOAD = new URL('preload/clock-jump.mjs', import.meta.url).href;
const HOUR_MS = 3_600_000;
/** No worker is lost on a busy machine, every worker would be if the hour counted. */
const PATIENT = { more: ['--lease-ms', '60000'] };

let bench: FaultBench;
beforeAll(async () => {
  bench = await FaultBench.open();
});
afterEach(() => bench.killAll());
afterAll(() => bench.close());

describe('a clock that jumps in the middle of a job', () => {
  it.each([
    ['the coordinator', 'an hour forwards', HOUR_MS],
    ['the coordinator', 'an hour back', -HOUR_MS],
    ['a worker', 'an hour forwards', HOUR_MS],
    ['a worker', 'an hour back', -HOUR_MS],
  ])('of %s, %s, costs no lease', async (whose, direction, offsetMs) => {
    const { output, state } = bench.place();
    const file = join(bench.folder, `clock-${whose}-${offsetMs}`);
    const environment = { NODE_OPTIONS: `--import ${PRELOAD}`, SHARDEX_CHAOS_CLOCK: file };
    const isCoordinator = whose === 'the coordinator';
    const coordinator = await bench.coordinator(state, isCoordinator ? { ...PATIENT, environment } : PATIENT);
    const address = await addressOf(coordinator);
    const victim = bench.worker(address, isCoordinator ? {} : { environment });
    await victim.said((line) => line.text === 'registered');
    await bench.workers(address, 1);
    await bench.submit(coordinator, output);
    await coordinator.said(reached('control'));
    await writeFile(file, `${offsetMs}`);
    const jumping = isCoordinator ? coordinator : victim;
    await jumping.said((line) => line.text === 'the clock has jumped');
    await bench.survived(coordinator, output, `clock of ${whose} ${direction}`);
    const costly = ['worker-lost', 'lease-expired', 'clock-paused', 'task-retried'];
    expect(coordinator.lines.filter(({ event }) => costly.includes(String(event)))).toEqual([]);
    await bench.leavesNothing(coordinator, output, state);
  });
});
