import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { addressOf } from '../support/standing-cluster.js';
import { ended, FaultBench, reached, STAGES } from './fault-bench.js';
import { makePowerCutDisk, reasonWithoutPowerCuts, type PowerCutDisk } from './power-cut-disk.js';

let bench: FaultBench;
let disk: PowerCutDisk | null = null;
beforeAll(async () => {
  bench = await FaultBench.open();
});
afterEach(async () => {
  await bench.killAll();
  disk?.remove();
  disk = null;
});
afterAll(() => bench.close());

const reason = reasonWithoutPowerCuts();
if (reason !== null) process.stderr.write(`skipped "a machine that loses power": ${reason}\n`);

describe.skipIf(reason !== null)('a machine that loses power', () => {
  it('in every stage of one job goes on with it: what was lost of scratch is made again', async () => {
    const dark = (disk = makePowerCutDisk());
    const [output, state] = [join(dark.folder, 'out'), join(dark.folder, 'state')];
    let coordinator = await bench.coordinator(state);
    const address = await addressOf(coordinator);
    await bench.workers(address, 2);
    const job = await bench.submit(coordinator, output);
    let lost = 0;
    for (const stage of STAGES) {
      await coordinator.said((line) => reached(stage)(line) || ended(line));
      dark.cut();
      // The fault has fired: nothing can be written any more.
      expect(() => writeFileSync(join(dark.folder, 'probe'), '')).toThrow(/EIO/);
      expect(coordinator.lines.some(ended), `the fault came too late for ${stage}:\n${coordinator.stderr}`).toBe(false);
      await bench.killAll();
      dark.restore();
      expect(readdirSync(output)).not.toContain('run.json');
      coordinator = await bench.coordinator(state, { at: address });
      await bench.workers(address, 2);
      lost += coordinator.lines.filter(({ event }) => event === 'stage-reopened').length;
    }
    expect(await coordinator.said(ended), coordinator.stderr).toMatchObject({ event: 'job-succeeded', job });
    lost += coordinator.lines.filter(({ event }) => event === 'stage-reopened').length;
    expect(lost, 'a loss of power that lost nothing').toBeGreaterThan(0);
    await bench.survived(coordinator, output, `loss of power in ${STAGES.join(', ')}`);
    await bench.leavesNothing(coordinator, output, state);
  });
});
