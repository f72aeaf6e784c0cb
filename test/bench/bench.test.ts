import { describe, expect, it } from 'vitest';
import { measureProcess } from './measure-process.mjs';
import { median, renderCase } from './render-report.mjs';

describe('median', () => {
  it('is the middle value of an odd number', () => expect(median([9, 1, 5])).toBe(5));
  it('is the mean of the middle values of an even number', () => expect(median([9, 1, 5, 2])).toBe(3.5));
});

describe('renderCase', () => {
  const run = (wallSeconds: number) => ({
    wallSeconds,
    cpuSeconds: 2 * wallSeconds,
    peakProcessBytes: 100 * 2 ** 20,
    peakTotalBytes: 150 * 2 ** 20,
    processes: 2,
  });
  const benchmark = { name: 'a', description: 'What it is.', input: '10 cells' };

  it('gives medians, the range and the ratio to the floor', () => {
    const table = renderCase(benchmark, [{ name: 'floor', runs: [run(2), run(4), run(3)] }], 1.5);
    expect(table).toContain('| floor | 3.00 | 2.00 to 4.00 | 2.00 | 6.00 | 100 | 150 |');
  });

  it('says why a command was not run', () => {
    expect(renderCase(benchmark, [{ name: 'peer', runs: [], note: 'not run' }], null)).toContain('| peer | not run |');
  });
});

describe.runIf(process.platform === 'linux')('measureProcess', () => {
  const hold = 'globalThis.kept = Buffer.alloc(200e6, 1)';
  const grandchild = `require('child_process').spawnSync(process.execPath, ['-e', ${JSON.stringify(`${hold}; Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000)`)}])`;

  it('sees the memory of a process that the command started', async () => {
    const measured = await measureProcess([process.execPath, '-e', grandchild]);
    expect(measured.processes).toBeGreaterThanOrEqual(2);
    expect(measured.peakProcessBytes).toBeGreaterThan(200e6);
    expect(measured.peakTotalBytes).toBeGreaterThan(measured.peakProcessBytes);
  });

  it('rejects with what the command wrote to stderr', async () => {
    const failing = "process.stderr.write('the reason'); process.exit(3)";
    await expect(measureProcess([process.execPath, '-e', failing])).rejects.toThrow(/exit 3[^]*the reason/);
  });
});
